/**
 * The testing kit, `sidereal/testing`: queues whose time belongs to the test, draining, assertions, fault injection.
 */
export { assertEnqueued, type Expected, enqueued, refuteEnqueued } from "./assertions.ts";
export { type Drained, type DrainOptions, type DrainReport, drain } from "./drain.ts";
export {
  type Fault,
  type FaultCall,
  type FaultCounts,
  type FaultPlan,
  type FaultRates,
  type FaultyBackend,
  faulty,
  type SignalFaults,
} from "./faulty.ts";
export { type InterceptOptions, type Interceptor, intercepted, type StoreCall, type StoreMethod } from "./intercept.ts";
export { forgetTask, withTasks } from "./isolation.ts";
export { seededRandom } from "./seeded-random.ts";
export { type CollectedLog, createTestQueue, TestQueue, type TestQueueOptions } from "./test-queue.ts";
export { VirtualClock, type VirtualClockOptions } from "./virtual-clock.ts";
