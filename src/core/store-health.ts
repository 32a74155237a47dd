/** Whether the store answers: one round trip that writes nothing, under a deadline short enough for a health check. */
import { SiderealError } from "../model/errors.ts";
import type { Millis } from "../model/record.ts";
import type { Parts } from "./parts.ts";
import type { ServiceHealth } from "./reports.ts";

/** How long a store may take. */
export const HEALTH_DEADLINE: Millis = 2_000;

/** Asks the store for its time. Never rejects. */
export async function storeHealth({ calls, backend, runtime }: Parts): Promise<ServiceHealth> {
  const { clock } = runtime;
  const store = backend.name;
  const unhealthy = (reason: string): ServiceHealth => ({ healthy: false, reasons: [reason], store, roundTrip: null });
  const sent = clock.mono();
  let cancel = (): void => {};
  const late = new Promise<ServiceHealth>((resolve) => {
    const tell = (): void => resolve(unhealthy(`the ${store} store did not answer within ${HEALTH_DEADLINE} ms`));
    cancel = clock.after(HEALTH_DEADLINE, tell);
  });
  const answer = calls.now().then(
    (): ServiceHealth => ({ healthy: true, reasons: [], store, roundTrip: Math.round(clock.mono() - sent) }),
    // A driver's words may hold an address; the code says enough, and the log has the rest.
    (error: unknown) => unhealthy(`the ${store} store did not answer (${codeOf(error)})`),
  );
  const health = await Promise.race([answer, late]);
  cancel();
  return health;
}

/** Of a service that is not open. */
export function closedHealth({ backend }: Parts, state: string): ServiceHealth {
  return { healthy: false, reasons: [`the queue service is ${state}`], store: backend.name, roundTrip: null };
}

function codeOf(error: unknown): string {
  return error instanceof SiderealError ? error.code : "STORE_FAILED";
}
