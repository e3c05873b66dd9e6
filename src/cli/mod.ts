/**
 * The command line: what can be called, how it is printed, and what the process ends with.
 *
 * @module
 */
export { SITE_CONFIG } from "./agent_command.ts";
export { EXIT } from "./exit_codes.ts";
export { main } from "./main.ts";
export { systemTerminal, type Terminal } from "./terminal.ts";
