import { HoldfastError } from "../../src/std/mod.ts";

/** Why the test cluster could not do what it was asked. */
export type ClusterReason =
  | "CommandFailed"
  | "PrerequisiteMissing"
  | "InvalidName"
  | "AlreadyUp"
  | "NotUp"
  | "NoFreeSubnet"
  | "NodeFailed"
  | "ProcessFailed"
  | "TimedOut"
  | "LeftBehind";

/** A failure of the test cluster itself. */
export class ClusterError extends HoldfastError<ClusterReason> {}
