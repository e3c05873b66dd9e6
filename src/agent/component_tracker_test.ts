import assert from "node:assert/strict";
import { newPackage } from "../../test/fakes/records.ts";
import { TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { Store } from "../store/mod.ts";
import { ComponentTracker } from "./component_tracker.ts";

const added = newPackage();

interface Stage {
  readonly tracker: ComponentTracker;
  readonly clock: TestClock;
  /** The message after each change. */
  readonly messages: string[];
  readonly components: () => string[];
}

function tracked(action: (stage: Stage) => void): Promise<void> {
  return withDirectory((dir) => {
    using store = Store.open(dir);
    store.records.putPackage(added);
    const clock = new TestClock();
    const messages: string[] = [];
    const record = () => store.records.getPackage(added.digest);
    const onChange = () => void messages.push(record()?.message ?? "");
    const tracker = new ComponentTracker({ store, digest: added.digest, onChange, clock });
    const components = () =>
      record()?.components.map(({ name, phase, message }) => `${name} ${phase}: ${message}`) ?? [];
    action({ tracker, clock, messages, components });
    assert.equal(record()?.state, "deploying");
    assert.equal(record()?.reason, "Deploying");
  });
}

Deno.test("every component waits until it is its turn", () =>
  tracked(({ tracker, messages, components }) => {
    tracker.begin(["images", "web"]);
    assert.deepEqual(components(), ["images Waiting: not begun", "web Waiting: not begun"]);
    assert.deepEqual(messages, ["the package is being deployed"]);
  }));

Deno.test("each phase of a component is in the record, and the others are left as they are", () =>
  tracked(({ tracker, components }) => {
    tracker.begin(["a", "b"]);
    const seen: (string | undefined)[] = [];
    for (const phase of ["Images", "Deploying", "Waiting", "Succeeded", "Failed"] as const) {
      tracker.progress({ component: "a", phase, message: phase.toLowerCase() });
      seen.push(components()[0]);
      assert.equal(components()[1], "b Waiting: not begun");
    }
    assert.deepEqual(seen, [
      "a Deploying: images",
      "a Deploying: deploying",
      "a Deploying: waiting",
      "a Ready: succeeded",
      "a Failed: failed",
    ]);
  }));

Deno.test("messages of one phase are written at most twice a second", () =>
  tracked(({ tracker, clock, messages }) => {
    tracker.begin(["a"]);
    for (let n = 0; n < 30; n++) {
      tracker.progress({ component: "a", phase: "Images", message: `${n} %` });
      clock.advance(100);
    }
    assert.deepEqual(
      messages.slice(1),
      ["0 %", "5 %", "10 %", "15 %", "20 %", "25 %"].map(
        (message) => `component a: ${message}`,
      ),
    );
  }));

Deno.test("a new phase or component is written at once", () =>
  tracked(({ tracker, messages }) => {
    tracker.begin(["a", "b"]);
    tracker.progress({ component: "a", phase: "Images", message: "1" });
    tracker.progress({ component: "a", phase: "Images", message: "2" });
    tracker.progress({ component: "a", phase: "Succeeded", message: "3" });
    tracker.progress({ component: "b", phase: "Succeeded", message: "4" });
    assert.deepEqual(messages.slice(1), ["component a: 1", "component a: 3", "component b: 4"]);
  }));

Deno.test("what is said of the whole package is its message, and no component's", () =>
  tracked(({ tracker, messages, components }) => {
    tracker.begin(["a"]);
    tracker.progress({ phase: "Images", message: "3 of 5 images" } as never);
    assert.equal(messages.at(-1), "3 of 5 images");
    assert.deepEqual(components(), ["a Waiting: not begun"]);
  }));
