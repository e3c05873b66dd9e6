import { oneLine } from "./errors.ts";

/** From the most to the least talkative. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
/** How much is said. */
export type LogLevel = typeof LOG_LEVELS[number];
/** `json` for machines, `text` for people. */
export type LogFormat = "json" | "text";
/** What is said beside the message. Values are never secrets. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** A place to write log lines to. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  with(fields: LogFields): Logger;
}

/** What a logger writes and where. */
export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one whole line with its newline. */
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

/** A logger of one line per message, without buffering. */
export function createLogger(options: LoggerOptions, bound: LogFields = {}): Logger {
  const now = options.now ?? (() => new Date());
  const threshold = LOG_LEVELS.indexOf(options.level);
  const say = (level: LogLevel) => (message: string, fields: LogFields = {}) => {
    if (LOG_LEVELS.indexOf(level) < threshold) return;
    const all = { ...bound, ...fields };
    const time = now().toISOString();
    options.write(
      options.format === "json"
        ? JSON.stringify({ time, level, msg: message, ...all }) + "\n"
        : `${time} ${level.padEnd(5)} ${oneLine(message, Infinity)}${textFields(all)}\n`,
    );
  };
  return {
    debug: say("debug"),
    info: say("info"),
    warn: say("warn"),
    error: say("error"),
    with: (fields) => createLogger(options, { ...bound, ...fields }),
  };
}

/** Says nothing. */
export const silentLogger: Logger = createLogger({ level: "error", format: "text", write() {} });

function textFields(fields: LogFields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${quote(String(value))}`)
    .join("");
}

function quote(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : JSON.stringify(text);
}
