/**
 * Proves from a trace of system calls that an agent changed its disk in an order in which no power cut
 * can leave less than was promised (design.md §4). Nothing of it knows how the store is written: it
 * sees what reached the kernel.
 *
 * @module
 */
export { checkOrder, type Complaint, type Expectation, type ExpectedRecord } from "./check.ts";
export { type Operation, operationsOf } from "./operation.ts";
export { type Call, parseTrace, recording } from "./strace.ts";
