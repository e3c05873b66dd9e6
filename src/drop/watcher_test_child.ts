/**
 * Takes in what lies in a drop directory, without waiting; tests kill it at every failpoint, or take
 * rights away from it.
 */
import { createLogger, systemClock } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { SETTLE_TIME } from "./settle.ts";
import { DropWatcher } from "./watcher.ts";

const [dir = "", directory = ""] = Deno.args;
let time = 0;
const store = Store.open(dir);
const watcher = new DropWatcher({
  directories: [directory],
  store,
  architecture: "amd64",
  trust: [],
  logger: createLogger({
    level: "warn",
    format: "text",
    write: (line) => void Deno.stderr.writeSync(new TextEncoder().encode(line)),
  }),
  onChange: () => {},
  clock: { ...systemClock, monotonic: () => time += SETTLE_TIME },
});
const { signal } = new AbortController();
while (await watcher.look(signal));
await watcher.run(AbortSignal.abort());
store.close();
