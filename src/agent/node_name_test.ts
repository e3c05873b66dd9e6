import assert from "node:assert/strict";
import { eventually } from "../../test/fakes/testing.ts";
import { NodeName } from "./node_name.ts";
import { whenAborted } from "./signals.ts";

/** Notes with which names work was done, and that it has ended before the next began. */
class Work {
  readonly done: string[] = [];
  running = 0;

  readonly run = async (name: string, signal: AbortSignal): Promise<void> => {
    assert.equal(this.running++, 0, "one at a time");
    this.done.push(name);
    await whenAborted(signal);
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.running--;
  };
}

Deno.test("a name that is given is sure and shown", () => {
  const name = new NodeName("n1");
  assert.deepEqual([name.known, name.shown], ["n1", "n1"]);
});

Deno.test("a name of an earlier run is shown, and not written until it is sure", () => {
  const name = new NodeName(undefined, "before");
  assert.deepEqual([name.known, name.shown], [undefined, "before"]);
  name.learn("now");
  assert.deepEqual([name.known, name.shown], ["now", "now"]);
  assert.deepEqual(new NodeName(undefined).shown, "");
});

Deno.test("who waits is told of another name, and not of the same", () => {
  const name = new NodeName("n1");
  const { changed } = name;
  name.learn("n1");
  assert.equal(changed.aborted, false);
  name.learn("n2");
  assert.equal(changed.aborted, true);
  assert.equal(name.changed.aborted, false);
});

Deno.test("work begins when there is a name, and anew with another one", async () => {
  const [name, work, stop] = [new NodeName(undefined), new Work(), new AbortController()];
  const following = name.follow(work.run, stop.signal);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(work.done, []);
  name.learn("n1");
  await eventually(() => work.running === 1);
  name.learn("n2");
  await eventually(() => work.done.length === 2 && work.running === 1);
  assert.deepEqual(work.done, ["n1", "n2"]);
  stop.abort();
  await following;
  assert.equal(work.running, 0);
});

Deno.test("who is told to end while there is no name ends", async () => {
  const stop = new AbortController();
  const following = new NodeName(undefined).follow(() => assert.fail("no name"), stop.signal);
  stop.abort();
  await following;
});

Deno.test("work that ends by itself is not begun again, and what it throws is thrown", async () => {
  const { signal } = new AbortController();
  let count = 0;
  await new NodeName("n1").follow(() => Promise.resolve(void count++), signal);
  assert.equal(count, 1);
  const failing = new NodeName("n1").follow(() => Promise.reject(new Error("no")), signal);
  await assert.rejects(failing, /no/);
});
