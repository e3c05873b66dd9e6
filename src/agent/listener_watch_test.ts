import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import { ListenerWatch } from "./listener_watch.ts";
import { Part } from "./listeners.ts";

/** What is seen in looks a second apart at a listener that is open (`o`) or closed (`-`). */
async function looks(states: string): Promise<{ serves: string; changes: number[] }> {
  const stop = new AbortController();
  const part = new Part("listener", "opens", states[0] === "o");
  const changes: number[] = [];
  let [serves, at] = ["", 0];
  class Clock extends TestClock {
    override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
      serves += watch.canServe ? "y" : "n";
      part.set(states[++at] === "o", "");
      if (at === states.length) stop.abort();
      await super.sleep(ms, signal);
    }
  }
  const watch = new ListenerWatch(part, new Clock());
  await watch.run(() => changes.push(at), stop.signal);
  return { serves, changes };
}

const rows: readonly [what: string, states: string, serves: string, changes: number[]][] = [
  ["that is open can be counted on", "ooo", "yyy", []],
  ["that is closed for a moment can be counted on", "o----o-o", "yyyyyyyy", []],
  ["that is closed for five seconds cannot, until it is open", "o------oo", "yyyyyynyy", [6, 7]],
  ["that does not open has five seconds to", "-------", "yyyyynn", [5]],
  ["that is closed again has as long again", "-----o----", "yyyyyyyyyy", []],
];

for (const [what, states, serves, changes] of rows) {
  Deno.test(`a listener ${what}`, async () => {
    assert.deepEqual(await looks(states), { serves, changes });
  });
}
