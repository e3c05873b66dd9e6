import assert from "node:assert/strict";
import { eventually } from "../fakes/testing.ts";
import { forward } from "./forward.ts";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { ask } from "./supervisor.ts";
import { obstacle } from "./prerequisites.ts";
import { ClusterError } from "./errors.ts";
import { killNode } from "./processes.ts";

/** A bare node, without daemons or a network beyond its loopback, which is down. */
async function withBareNode(see: (socket: string, dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "holdfast-node-" });
  for (const name of ["var", "tmp", "etc", "etc.work"]) Deno.mkdirSync(`${dir}/${name}`);
  const config = {
    hostname: "bare",
    dir,
    socket: `${dir}/node.sock`,
    keep: [dir],
    tunables: { "kernel/panic": "77" },
  };
  Deno.writeTextFileSync(`${dir}/node.json`, JSON.stringify(config));
  const booted = await new Deno.Command(await ensureTool(TOOLS.node), {
    args: ["boot", `${dir}/node.json`],
  }).output();
  const said = new TextDecoder().decode(booted.stderr);
  assert.equal(booted.code, 0, said);
  const pid = Number(new TextDecoder().decode(booted.stdout));
  await new Deno.Command("nsenter", {
    args: ["-t", `${pid}`, "-n", "ip", "link", "set", "lo", "up"],
  })
    .output();
  try {
    await see(config.socket, dir);
  } finally {
    await killNode(pid);
    await Deno.remove(dir, { recursive: true });
  }
}

const ignore = obstacle() !== undefined;
const ENV = ["PATH=/usr/bin:/bin"];

/** Starts a shell command and gives how it ended and what it said. */
async function shell(socket: string, dir: string, name: string, script: string) {
  const log = `${dir}/${name}.log`;
  await ask(socket, { op: "start", name, argv: ["/bin/sh", "-c", script], env: ENV, log });
  const [process] = await ask(socket, { op: "wait", name });
  return { ...process, text: await Deno.readTextFile(log) };
}

Deno.test({ name: "pid 1 starts, reports and reaps", ignore }, async (t) => {
  await withBareNode(async (socket, dir) => {
    await t.step("a process ends with its code, a killed one with its signal", async () => {
      assert.equal((await shell(socket, dir, "three", "exit 3")).code, 3);
      assert.equal((await shell(socket, dir, "dead", "kill -9 $$")).signal, 9);
    });
    await t.step("the node has its own name, settings and temporary directory", async () => {
      const { text } = await shell(
        socket,
        dir,
        "look",
        "cat /proc/sys/kernel/hostname /proc/sys/kernel/panic; ls /tmp; cat /proc/1/comm",
      );
      assert.match(text, /^bare\n77\n(holdfast-node-\w+\n)?/);
      assert.match(text, /node\n$/);
      assert.notEqual(Deno.readTextFileSync("/proc/sys/kernel/hostname").trim(), "bare");
    });
    await t.step("orphans do not stay as zombies", async () => {
      const script = "(sleep 0.05 &) ; sleep 0.3; grep -l '^State:.Z' /proc/[0-9]*/status; true";
      let looks = 0;
      await eventually(async () => {
        const { text } = await shell(socket, dir, `orphan-${looks++}`, script);
        return !/status/.test(text);
      }, 100);
    });
    await t.step("what is to be restarted is, until it is told to end", async () => {
      const log = `${dir}/again.log`;
      const argv = ["/bin/sh", "-c", "echo up; exec sleep 1000"];
      const start = { op: "start", name: "again", argv, env: ENV, log, restart: true } as const;
      const [first] = await ask(socket, start);
      await shell(socket, dir, "killer", `kill -9 ${first?.pid}`);
      const deadline = performance.now() + 60_000;
      const look = async () =>
        (await ask(socket, { op: "list" })).find((process) => process.name === "again");
      while ((await look())?.pid === first?.pid || !(await look())?.running) {
        assert.ok(performance.now() < deadline);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.equal((await look())?.restarts, 1);
      await ask(socket, { op: "signal", name: "again", signal: 15 });
      const [ended] = await ask(socket, { op: "wait", name: "again" });
      assert.deepEqual([ended?.running, ended?.signal, ended?.restarts], [false, 15, 1]);
    });
    await t.step("what cannot be done is refused with the reason", async () => {
      const log = `${dir}/x.log`;
      const cases: [Parameters<typeof ask>[1], RegExp][] = [
        [{ op: "start", name: "x", argv: ["/no/such"], env: [], log }, /no such file/],
        [{ op: "start", name: "x", argv: [], env: [], log }, /nothing to start/],
        [{ op: "signal", name: "none", signal: 9 }, /no process is called "none"/],
        [{ op: "wait", name: "none" }, /no process is called "none"/],
      ];
      for (const [request, message] of cases) await assert.rejects(ask(socket, request), message);
    });
  });
});

Deno.test(
  { name: "a forwarded port carries bytes both ways and passes their end on", ignore },
  async () => {
    await withBareNode(async (socket, dir) => {
      const script = `
const listener = Deno.listen({ hostname: "127.0.0.1", port: 7000 });
console.log("listening");
for await (const connection of listener) connection.readable.pipeTo(connection.writable);`;
      await ask(socket, {
        op: "start",
        name: "echo",
        argv: [Deno.execPath(), "eval", script],
        env: [...ENV, "HOME=/tmp", "DENO_NO_UPDATE_CHECK=1"],
        log: `${dir}/echo.log`,
      });
      const deadline = performance.now() + 60_000;
      while (!(await Deno.readTextFile(`${dir}/echo.log`)).includes("listening")) {
        assert.ok(performance.now() < deadline, "the echo server did not start");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await using port = forward(socket, "127.0.0.1:7000");
      const [hostname = "", number] = port.address.split(":");
      const sent = crypto.getRandomValues(new Uint8Array(60_000));
      using connection = await Deno.connect({ hostname, port: Number(number) });
      for (let at = 0; at < sent.length;) at += await connection.write(sent.subarray(at));
      await connection.closeWrite();
      const received = new Uint8Array(await new Response(connection.readable).arrayBuffer());
      assert.deepEqual(received, sent);
    });
  },
);

Deno.test(
  { name: "a forwarded port where nobody listens closes without a byte", ignore },
  async () => {
    await withBareNode(async (socket) => {
      await using port = forward(socket, "127.0.0.1:7001");
      await assert.rejects(fetch(`http://${port.address}/`), TypeError);
    });
  },
);

Deno.test("a node that is off is said to be off", async () => {
  await assert.rejects(
    ask("/nowhere/node.sock", { op: "list" }),
    (error) => error instanceof ClusterError && error.reason === "NotUp",
  );
});
