/*
 * A webhook in a process that runs out of file descriptors for a moment: it writes `served` when it
 * answers again, on the same port.
 */
import { issueCertificates } from "./certificates.ts";
import { serveAdmission } from "./serve.ts";

const { ca, cert, key } = issueCertificates();
const server = serveAdmission(() => Promise.resolve(new Response("ok")), {
  hostname: "127.0.0.1",
  port: 0,
  tls: { cert, key },
});
const { port } = server;
const held: Deno.FsFile[] = [];
const fill = () => {
  try {
    for (;;) held.push(Deno.openSync("/dev/null"));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EMFILE")) throw error;
  }
};
// One more each time: for the client, for what the relay accepts, for what it opens.
for (let free = 1; free <= 4; free++) {
  fill();
  held.splice(0, free).forEach((file) => file.close());
  const client = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 150));
  client?.close();
}
held.forEach((file) => file.close());
for (let attempt = 0; attempt < 50; attempt++) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  using client = Deno.createHttpClient({ caCerts: [ca] });
  const answer = await fetch(`https://127.0.0.1:${port}/`, { client }).catch(() => undefined);
  if (await answer?.text() === "ok") {
    Deno.stdout.writeSync(new TextEncoder().encode("served\n"));
    break;
  }
}
await server.shutdown();
