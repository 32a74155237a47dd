/** The moving parts that a service and its workers share, put together once per service. */
import type { Runtime } from "../contracts/clock.ts";
import type { QueueBackend } from "../contracts/queue-backend.ts";
import { Ids } from "../model/identity.ts";
import { bounded, type Calls } from "./calls.ts";
import type { Settings } from "./config.ts";
import { guarded } from "./guarded-logger.ts";
import type { TaskRegistry } from "./registry.ts";
import { Settler } from "./settle.ts";
import { StaleFailures } from "./stale-failures.ts";
import { StoreTime } from "./store-time.ts";
import type { QueueService } from "./vocabulary.ts";

export interface Parts {
  readonly settings: Settings;
  readonly runtime: Runtime;
  readonly registry: TaskRegistry;
  readonly backend: QueueBackend<never>;
  readonly calls: Calls;
  readonly settler: Settler;
  readonly storeTime: StoreTime;
  readonly ids: Ids;
  readonly staleFailures: StaleFailures;
  /** Handed to handlers as `ctx.service`. */
  readonly service: QueueService<unknown>;
}

export function assemble(
  settings: Settings,
  backend: QueueBackend<never>,
  outside: Runtime,
  registry: TaskRegistry,
  service: QueueService<unknown>,
): Parts {
  const runtime = { ...outside, logger: guarded(outside.logger) };
  const calls = bounded(backend, runtime.clock);
  return {
    settings,
    runtime,
    registry,
    backend,
    calls,
    service,
    settler: new Settler(calls, runtime, backend.gathers ?? false),
    storeTime: new StoreTime(calls, runtime.clock),
    staleFailures: new StaleFailures(settings, runtime, registry),
    ids: new Ids(runtime.random, () => runtime.clock.wall()),
  };
}
