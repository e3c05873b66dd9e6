import assert from "node:assert/strict";
import { despitePauses, eventually, withDirectory } from "../../test/fakes/testing.ts";
import { exec, ExecError, type ExecOptions } from "./exec.ts";

const PATH = "/usr/bin:/bin";

/** Milliseconds that no child here may be waited for to sleep. */
const SLEEP = 60_000;

function sh(script: string, options: Partial<ExecOptions> = {}) {
  return exec("/bin/sh", { args: ["-c", script], env: { PATH }, timeout: 30_000, ...options });
}

Deno.test("outputs and exit code are the child's, and the code is the caller's to judge", async () => {
  assert.deepEqual(await sh("echo out; echo err >&2; exit 3"), {
    code: 3,
    timedOut: false,
    stdout: "out\n",
    stderr: "err\n",
  });
});

Deno.test("arguments arrive as they are, whatever is in them", async () => {
  const args = ["%s|", "a b", "$HOME", "x;y", "'", ""];
  const { stdout } = await exec("/usr/bin/printf", { args, env: {}, timeout: 30_000 });
  assert.equal(stdout, "a b|$HOME|x;y|'||");
});

Deno.test("a child gets the variables it is given and no others", async () => {
  const inherited = Object.keys(Deno.env.toObject());
  assert(inherited.length > 0, "this process has an environment");
  const { stdout } = await exec("/usr/bin/env", { env: { ONE: "1", TWO: "2 2" }, timeout: 30_000 });
  assert.deepEqual(stdout.trim().split("\n").sort(), ["ONE=1", "TWO=2 2"]);
});

Deno.test("a child starts in the directory it is given", () =>
  withDirectory(async (dir) => {
    const real = await Deno.realPath(dir);
    assert.equal((await sh("pwd -P", { cwd: dir })).stdout.trim(), real);
  }));

Deno.test("a child reads what it is handed, and nothing where nothing is handed", async () => {
  assert.equal((await sh("cat", { stdin: "grüße\n" })).stdout, "grüße\n");
  assert.equal((await sh("cat", { stdin: new Uint8Array([65, 66]) })).stdout, "AB");
  assert.equal((await sh("cat; echo end")).stdout, "end\n");
});

Deno.test("a child reads pieces as they are made, and no more are made than it reads", async () => {
  let made = 0;
  const endless = async function* () {
    for (;; made++) yield new TextEncoder().encode(`${await Promise.resolve(made)}\n`.repeat(1000));
  };
  const { stdout } = await sh("sed -n '3500p;3500q'", { stdin: endless() });
  assert.equal(stdout, "3\n");
  // What the pipe and the child's own buffer hold.
  assert(made < 100, `${made}`);
  const pieces = async function* () {
    yield* [await Promise.resolve(new Uint8Array([65])), new Uint8Array(), new Uint8Array([66])];
  };
  assert.equal((await sh("cat; echo end", { stdin: pieces() })).stdout, "ABend\n");
});

Deno.test("where the pieces end with a failure, the child's input ends", async () => {
  const failing = async function* () {
    yield await Promise.resolve(new Uint8Array([65]));
    throw new Error("the disk is gone");
  };
  const { code, stdout } = await sh("cat; echo end", { stdin: failing(), timeout: 10_000 });
  assert.deepEqual([code, stdout], [0, "Aend\n"]);
});

Deno.test("a child that does not read what it is handed is no failure", async () => {
  const stdin = "x".repeat(1 << 20);
  assert.equal((await sh("exit 0", { stdin })).code, 0);
});

Deno.test("of a long output the end is kept", async () => {
  const script = "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; echo 'last line' >&2";
  const { stdout, stderr } = await sh(script, { maxOutput: 100 });
  assert.equal(stdout.length, 100);
  assert(stdout.endsWith("19998\n19999\n"));
  assert.equal(stderr, "last line\n");
});

Deno.test("an output of exactly the limit is whole", async () => {
  assert.equal((await sh("printf 0123456789", { maxOutput: 10 })).stdout, "0123456789");
  assert.equal((await sh("printf 0123456789", { maxOutput: 9 })).stdout, "123456789");
});

Deno.test("a child whose time is up is ended and says so", () =>
  despitePauses(async () => {
    const started = performance.now();
    const result = await sh("echo before; exec sleep 60", { timeout: 1_000 });
    assert.equal(result.timedOut, true);
    assert.equal(result.stdout, "before\n");
    assert.notEqual(result.code, 0);
    assert(performance.now() - started < SLEEP);
  }));

Deno.test("a child that does not heed SIGTERM is killed", async () => {
  const started = performance.now();
  const { code, timedOut } = await sh("trap '' TERM; while :; do sleep 0.05; done", {
    timeout: 1_000,
  });
  assert.equal(code, 137);
  assert.equal(timedOut, true);
  const took = performance.now() - started;
  assert(took > 5_900 && took < SLEEP, `it took ${took} ms`);
});

Deno.test("a signal ends a child, which is not taken for a time limit", async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 100);
  const started = performance.now();
  const result = await sh("exec sleep 60", { signal: abort.signal });
  assert.deepEqual([result.timedOut, result.code], [false, 143]);
  assert(performance.now() - started < SLEEP);
});

Deno.test("a signal that has aborted lets no child run on", async () => {
  const started = performance.now();
  const { code } = await sh("exec sleep 60", { signal: AbortSignal.abort() });
  assert.equal(code, 143);
  assert(performance.now() - started < SLEEP);
});

Deno.test("what a child leaves running in the background holds nobody up", async () => {
  const started = performance.now();
  const { code, stdout } = await sh("sleep 30 & echo $!");
  try {
    assert.equal(code, 0);
    assert(performance.now() - started < 25_000);
  } finally {
    Deno.kill(Number(stdout), "SIGKILL");
  }
});

Deno.test("a program that is not there is told by its name, with what to do", () =>
  withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/text`, "no program", { mode: 0o644 });
    for (const path of [`${dir}/nothing`, `${dir}/text`]) {
      await assert.rejects(exec(path, { env: {}, timeout: 1_000 }), (error) => {
        assert(error instanceof ExecError);
        assert.equal(error.reason, "CommandNotStarted");
        assert(error.message.includes(path));
        assert.notEqual(error.cause, undefined);
        return true;
      });
    }
  }));

Deno.test("output is told as it comes, the part that is not kept too", () =>
  despitePauses(async () => {
    const told: string[] = [];
    const onOutput = (stream: string, bytes: Uint8Array) =>
      void told.push(`${stream} ${new TextDecoder().decode(bytes).trim()}`);
    const script = "echo one; sleep 0.2; echo two; sleep 0.2; echo bad >&2";
    const { stdout } = await sh(script, { onOutput, maxOutput: 4 });
    assert.deepEqual(told, ["stdout one", "stdout two", "stderr bad"]);
    assert.equal(stdout, "two\n");
  }));

Deno.test("a group has ended when everything that holds its outputs has", async () => {
  const result = await sh("(sleep 1.5; echo late) & echo early", { group: true });
  assert.deepEqual([result.code, result.stdout], [0, "early\nlate\n"]);
});

Deno.test("the time limit ends a whole group", async (t) => {
  const rows: [name: string, script: string][] = [
    ["the leader waits for another", "sleep 61 & echo $! $$; wait"],
    ["the leader has ended", "sleep 62 & echo $! $$"],
    ["one heeds no SIGTERM", "(trap '' TERM; sleep 2; sleep 63) & echo $! $$; wait"],
  ];
  for (const [name, script] of rows) {
    await t.step(name, () =>
      despitePauses(async () => {
        const started = performance.now();
        const { timedOut, stdout } = await sh(script, { group: true, timeout: 1_000 });
        assert.equal(timedOut, true);
        assert(performance.now() - started < SLEEP);
        assert.match(stdout, /^\d+ \d+\n$/);
        for (const pid of stdout.trim().split(" ")) await eventually(() => ended(pid));
      }));
  }
});

Deno.test("the signal ends a whole group", async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 1_000);
  const { timedOut, stdout } = await sh("sleep 64 & echo $! $$; wait", {
    group: true,
    signal: abort.signal,
  });
  assert.equal(timedOut, false);
  for (const pid of stdout.trim().split(" ")) await eventually(() => ended(pid));
});

/** Whether a process is gone, or only waits for somebody to ask how it ended. */
function ended(pid: string): boolean {
  try {
    return / Z /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return true;
  }
}
