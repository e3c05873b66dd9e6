import assert from "node:assert/strict";
import { TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { digestOf } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { DeployTime } from "./deploy_time.ts";

const DIGEST = digestOf("shop");

Deno.test("the time of all attempts at one wish counts, across restarts, and of no other", () =>
  withDirectory((dir) => {
    const clock = new TestClock();
    const attempt = (wish: string, ms: number): number => {
      using store = Store.open(`${dir}/data`);
      using time = new DeployTime(store.records, DIGEST, wish, clock);
      clock.advance(ms);
      return time.used;
    };
    assert.equal(attempt("1", 5_000), 0);
    clock.advance(3_600_000);
    assert.equal(attempt("1", 7_000), 5_000, "pauses do not count");
    assert.equal(attempt("1", 1_000), 12_000);
    assert.equal(attempt("2", 1_000), 0, "dropped again");
    assert.equal(attempt("2", 0), 1_000);
  }));

Deno.test("a note that cannot be read or written is none", () =>
  withDirectory((dir) => {
    const store = Store.open(`${dir}/data`);
    store.records.setValue(`deploy-time/${DIGEST}`, { wish: "1", used: "long" });
    const time = new DeployTime(store.records, DIGEST, "1");
    assert.equal(time.used, 0);
    store.close();
    time[Symbol.dispose]();
  }));
