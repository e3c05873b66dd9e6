import assert from "node:assert/strict";
import { Screen } from "./screen.ts";

function recorder(terminal: boolean) {
  let now = 0;
  let text = "";
  const output = {
    terminal,
    colour: false,
    columns: () => 80,
    write: (more: string) => void (text += more),
  };
  return {
    screen: new Screen(output, () => now),
    pass: (ms: number) => void (now += ms),
    /** What was written; `<<` stands for going back and clearing the line. */
    text: () => text.replaceAll("\r\x1b[2K", "<<"),
  };
}

Deno.test("without a terminal a stage is a line at each change, not more often than is readable", async () => {
  const { screen, pass, text } = recorder(false);
  screen.say("hello");
  const { result, ms } = await screen.stage("Build", (tell) => {
    tell("first");
    pass(100);
    tell("too soon");
    pass(3_000);
    tell("second");
    tell("second");
    pass(1_000);
    return Promise.resolve(7);
  }, (value) => `made ${value}`);
  assert.equal(result, 7);
  assert.equal(ms, 4_100);
  assert.deepEqual(text().split("\n"), [
    "hello",
    "> Build                0.0 s  first",
    "> Build                3.1 s  second",
    "+ Build                4.1 s  made 7",
    "",
  ]);
  assert.ok(!text().includes("<<"));
});

Deno.test("on a terminal the stage's line is replaced, and what is said goes above it", async () => {
  const { screen, text } = recorder(true);
  await screen.stage("Build", async (tell) => {
    tell("half", 0.5);
    await new Promise((resolve) => setTimeout(resolve, 250));
    screen.say("a note");
  });
  assert.match(text(), /<<> Build .*\[#{12}-{12}\] {2}50% {2}half/);
  assert.match(text(), /<<a note\n> Build/);
  assert.match(text(), /<<\+ Build +0\.0 s\n$/);
});

Deno.test("a stage that fails is marked, keeps its last message, and throws", async () => {
  const { screen, text } = recorder(false);
  const failing = screen.stage("Build", (tell) => {
    tell("the last thing");
    return Promise.reject(new Error("no"));
  });
  await assert.rejects(failing, /no/);
  assert.match(text(), /! Build +0\.0 s {2}the last thing\n$/);
});
