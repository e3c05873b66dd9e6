import assert from "node:assert/strict";
import { eventually } from "../fakes/testing.ts";
import { AgentError, logTail, startLocalAgent } from "./agent.ts";

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const { signal } = new AbortController();

function shell(script: string) {
  return { command: "/bin/sh", args: ["-c", script, "sh"], label: "sh" };
}

Deno.test("an agent that ends at once is told with its exit code and log", () =>
  withDirectory(async (directory) => {
    const starting = startLocalAgent({
      program: shell('echo "called with: $*"; exit 7'),
      directory,
      nodeName: "n1",
      signal,
    });
    await assert.rejects(starting, (error) => {
      assert.ok(error instanceof AgentError);
      assert.equal(error.reason, "AgentEnded");
      assert.match(error.message, /agent of n1 ended \(exit code 7\)/);
      assert.match(error.message, /called with: agent --node-name n1 --drop-dir \S+\/drop /);
      return true;
    });
  }));

Deno.test("an interrupt while an agent starts ends the agent", () =>
  withDirectory(async (directory) => {
    const abort = new AbortController();
    const pidFile = `${directory}/pid`;
    const starting = startLocalAgent({
      program: shell(`echo $$ > ${pidFile}; exec sleep 60`),
      directory,
      nodeName: "n1",
      signal: abort.signal,
    });
    const isInterrupted = assert.rejects(starting, /interrupted/);
    const written = async () => (await Deno.readTextFile(pidFile).catch(() => "")).trim();
    const pid = await eventually(async () => await written() || undefined);
    abort.abort(new Error("interrupted"));
    await isInterrupted;
    await assert.rejects(Deno.stat(`/proc/${pid}`), Deno.errors.NotFound);
  }));

Deno.test("the end of a log is at most eight lines, and a missing log is empty", () =>
  withDirectory(async (directory) => {
    const lines = Array.from({ length: 20 }, (_, at) => `line ${at}`);
    await Deno.writeTextFile(`${directory}/log`, `${lines.join("\n")}\n`);
    assert.equal(logTail(`${directory}/log`), lines.slice(12).join("\n"));
    assert.equal(logTail(`${directory}/absent`), "");
  }));
