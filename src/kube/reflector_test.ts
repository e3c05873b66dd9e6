// What reflect does over hours, in no time: a source that the test writes and a clock that it winds.
import assert from "node:assert/strict";
import { configMap } from "../../test/fakes/api_peer.ts";
import { loggerOf, TestClock } from "../../test/fakes/testing.ts";
import { KubeError, type KubeErrorReason } from "./errors.ts";
import { reflect, type ReflectSource } from "./reflect.ts";
import type { KubeObject, WatchEvent } from "./types.ts";

const MAPS = { apiVersion: "v1", kind: "ConfigMap" } as const;

function failure(reason: KubeErrorReason, retryAfter?: number): KubeError {
  return new KubeError({
    reason,
    message: reason,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

/** What one watch does: events, then an end or a failure. */
interface Watch {
  readonly events?: readonly WatchEvent[];
  readonly lasts?: number;
  readonly error?: KubeError;
}

/**
 * Follows a source whose lists and watches go as told, one after the other; when the script is at its
 * end everything stops. Gives what was done, in order.
 */
async function follow(
  script: readonly (Watch | KubeError)[],
  lists: readonly (readonly KubeObject[] | KubeError)[] = [],
): Promise<{
  readonly calls: readonly string[];
  readonly pauses: readonly number[];
  readonly lines: readonly string[];
  readonly snapshots: readonly string[];
}> {
  const clock = new TestClock();
  const { logger, lines } = loggerOf();
  const stop = new AbortController();
  const calls: string[] = [];
  const watches = [...script];
  const answers = [...lists];
  let version = 0;
  const source: ReflectSource = {
    list: <T extends KubeObject>() => {
      calls.push("list");
      const answer = answers.shift() ?? [configMap("one")];
      if (answer instanceof KubeError) return Promise.reject(answer);
      return Promise.resolve({ items: [...answer] as T[], resourceVersion: `l${++version}` });
    },
    watch: async function* <T extends KubeObject>(
      _: unknown,
      options: { resourceVersion?: string } = {},
    ) {
      calls.push(`watch ${options.resourceVersion}`);
      const next = watches.shift();
      if (next === undefined) {
        // Whoever follows has taken the last snapshot by then: each of its steps is one turn.
        for (let turn = 0; turn < 10; turn++) await new Promise((done) => setTimeout(done, 0));
        return stop.abort();
      }
      if (next instanceof KubeError) throw next;
      for (const event of next.events ?? []) yield event as WatchEvent<T>;
      clock.advance(next.lasts ?? 300_000);
      if (next.error !== undefined) throw next.error;
    },
  };
  const snapshots: string[] = [];
  for await (const snapshot of reflect(source, MAPS, { signal: stop.signal }, { clock, logger })) {
    snapshots.push([...snapshot.keys()].sort().join(" "));
  }
  // Those of 20 ms gather changes to a batch.
  return { calls, pauses: clock.slept.filter((ms) => ms !== 20), lines, snapshots };
}

const added = (name: string, version: string): WatchEvent => ({
  type: "ADDED",
  object: configMap(name, version),
});

Deno.test("a watch that the server ended after its time is opened again at once, without a list", async () => {
  const { calls, pauses, lines } = await follow([{}, { events: [added("two", "5")] }, {}]);
  assert.deepEqual(calls, ["list", "watch l1", "watch l1", "watch 5", "watch 5"]);
  assert.deepEqual(
    pauses.slice(0, -1),
    [],
    "only the last one, which the test cut short, was short",
  );
  assert.deepEqual(lines, []);
});

for (const [lasts, waits] of [[0, [1_000]], [900, [1_000]], [1_000, []], [5_000, []]] as const) {
  Deno.test(`a watch that ended after ${lasts} ms is ${waits.length > 0 ? "not " : ""}opened again at once`, async () => {
    const { pauses } = await follow([{ lasts }]);
    assert.deepEqual(pauses, waits);
  });
}

Deno.test("failures are waited out longer and longer, and every third lists again", async () => {
  const { calls, pauses } = await follow(Array(6).fill(failure("Unreachable")));
  assert.deepEqual(calls, [
    "list",
    "watch l1",
    "watch l1",
    "watch l1",
    "list",
    "watch l2",
    "watch l2",
    "watch l2",
    "list",
    "watch l3",
  ]);
  assert.ok(pauses.length >= 6);
  for (const pause of pauses.slice(0, 6)) assert.ok(pause >= 100 && pause <= 10_000, `${pause}`);
});

Deno.test("the pauses grow while nothing works, and the list is what is tried", async () => {
  const { calls, pauses } = await follow([], Array(8).fill(failure("Unreachable")));
  assert.deepEqual(calls, [...Array(9).fill("list"), "watch l1"]);
  for (const [index, pause] of pauses.slice(0, 8).entries()) {
    const longest = Math.min(10_000, 200 * 2 ** index);
    assert.ok(pause >= longest / 2 && pause <= longest, `${index}: ${pause}`);
  }
});

for (const reason of ["Gone", "Timeout"] as const) {
  Deno.test(`after ${reason} everything is listed again`, async () => {
    const { calls } = await follow([{ events: [added("two", "9")], error: failure(reason) }]);
    assert.deepEqual(calls, ["list", "watch l1", "list", "watch l2"]);
  });
}

for (const reason of ["Unreachable", "ServerError", "Forbidden", "BadResponse"] as const) {
  Deno.test(`after ${reason} the watch goes on from the last version`, async () => {
    const { calls } = await follow([{ events: [added("two", "9")], error: failure(reason) }]);
    assert.deepEqual(calls, ["list", "watch l1", "watch 9"]);
  });
}

Deno.test("what the server asks to wait is waited", async () => {
  const { pauses } = await follow([failure("TooManyRequests", 7_000)]);
  assert.equal(pauses[0], 7_000);
});

Deno.test("the first of many failures is a warning, the recovery is told, and the next begins anew", async () => {
  const down = failure("Unreachable");
  const { lines } = await follow([down, down, { events: [added("two", "9")] }, down]);
  assert.deepEqual(lines.map((line) => line.split(" kind=")[0]), [
    "warn  the API server cannot be followed, trying again",
    "debug the API server cannot be followed, trying again",
    "info  the API server is followed again",
    "warn  the API server cannot be followed, trying again",
  ]);
  assert.ok(lines.every((line) => line.includes("kind=ConfigMap")));
});

Deno.test("a version that is too old is no reason to warn", async () => {
  const { lines } = await follow([failure("Gone")]);
  assert.match(lines[0] ?? "", /^debug .*error=Gone$/);
});

Deno.test("what changed while nobody could look is in the next snapshot, whole", async () => {
  const { snapshots } = await follow(
    [{ events: [added("two", "9")], error: failure("Gone") }],
    [[configMap("one")], [configMap("three", "20")]],
  );
  assert.equal(snapshots[0]?.includes("a/one"), true);
  assert.equal(snapshots.at(-1), "a/three");
});

Deno.test("an object of no namespace is known by its name alone", async () => {
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n1", resourceVersion: "1" } };
  const { snapshots } = await follow([{}], [[node, configMap("one")]]);
  assert.equal(snapshots[0], "a/one n1");
});

Deno.test("a list of other versions is a change, one of the same versions is none", async () => {
  const gone = { error: failure("Gone") };
  const script = [gone, gone, {}];
  const same = await follow(script, [[configMap("one")], [configMap("one")], [configMap("one")]]);
  assert.deepEqual(same.snapshots, ["a/one"]);
  const other = await follow(
    [gone, { events: [], lasts: 300_000 }],
    [[configMap("one"), configMap("two")], [configMap("one")]],
  );
  assert.equal(other.snapshots.at(-1), "a/one", "one fewer is a change");
});
