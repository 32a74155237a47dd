/** The public names of `sidereal`, and nothing else. */
export { type MemoryOptions, memory } from "./backends/memory/index.ts";
export type { Cancel, Clock, Logger, Random, Runtime } from "./contracts/clock.ts";
export type * from "./contracts/queue-backend.ts";
export type { Hint, Signals } from "./contracts/signals.ts";
export {
  defineQueues,
  type ExecutionBackendName,
  isQueueConfig,
  type QueueConfig,
  type Settings,
  type WorkerConfig,
  type WorkerSettings,
} from "./core/config.ts";
export { currentTaskContext } from "./core/context.ts";
export {
  type AttemptFacts,
  type Dependency,
  type DependencyConfig,
  type DependencyProvider,
  type DependencyResolver,
  type DependencyScope,
  dependency,
  type Provided,
  type ScopeOutcome,
} from "./core/dependency.ts";
export { type CancelOutcome, TaskHandle } from "./core/handle.ts";
export type { LoopBlock } from "./core/loop-watch.ts";
export type { DiscoverOptions } from "./core/modules.ts";
export type {
  Cause,
  CauseCode,
  Explanation,
  QueueInfo,
  QueuePause,
  Queues,
  RunningTask,
  WorkerInfo,
} from "./core/operators.ts";
export type {
  BulkCancelOptions,
  BulkOptions,
  BulkReport,
  FindOptions,
  FoundRecords,
  RecordFilter,
  ReviveOutcome,
  TaskSummary,
} from "./core/record-operations.ts";
export {
  MAINTENANCE_PHASES,
  type MaintainOptions,
  type MaintenancePhase,
  type MaintenanceReport,
  type PhaseReport,
  type SchedulerHealth,
  type SchedulerHealthOptions,
  type ServiceHealth,
} from "./core/reports.ts";
export type {
  FinishedState,
  RetentionConfig,
  RetentionLimit,
  RetentionRule,
  RetentionRules,
} from "./core/retention-rules.ts";
export type { FailureFacts, SanitizeError } from "./core/sanitize.ts";
export type { Misfire, Overlap, ScheduledInput, ScheduleOptions, ScheduleTiming } from "./core/schedule-options.ts";
export type {
  NewSchedule,
  Schedulable,
  ScheduleChanges,
  ScheduleInfo,
  SchedulePage,
  ScheduleReport,
  Schedules,
  TickOptions,
} from "./core/schedule-types.ts";
export { task } from "./core/task.ts";
export type { WorkerHealth } from "./core/vitals.ts";
export type {
  EnqueueArguments,
  EnqueueOptions,
  Task,
  TaskContext,
  TaskHandler,
  TaskOptions,
} from "./core/vocabulary.ts";
export type { StopOutcome, WorkerStatus } from "./core/worker.ts";
export { type Duration, type DurationUnit, formatAge } from "./model/duration.ts";
export {
  ERROR_CODES,
  type ErrorCode,
  hasCode,
  NonRetryableError,
  RetryAfterError,
  SiderealError,
  TaskCancelledError,
  TaskFailedError,
} from "./model/errors.ts";
export type { Json } from "./model/json.ts";
export type {
  BackoffPolicy,
  Draft,
  EndReason,
  JsonText,
  LogLine,
  Millis,
  Origin,
  RecordState,
  StatusCounts,
  TaskFailure,
  TaskPolicy,
  TaskProgress,
  TaskRecord,
  TaskStatus,
} from "./model/record.ts";
export type { Backoff, CustomBackoff } from "./model/retry.ts";
export { discoverTasks, QueueService, type RuntimeOverrides, registeredTasks, Worker } from "./sidereal.ts";
