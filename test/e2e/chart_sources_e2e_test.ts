import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { EXIT, main } from "../../src/cli/mod.ts";
import { readObjects } from "../../src/deploy/mod.ts";
import { git } from "../fakes/git.ts";
import { withDirectory } from "../fakes/testing.ts";
import { eventually } from "./support/agent.ts";
import { freeAddress } from "../fakes/free_address.ts";
import { zarf, zarfCreate } from "./support/zarf.ts";
import { writeSource } from "./support/zarf_sources.ts";

/*
 * Charts from everywhere that Zarf takes them from, packed by the real zarf: a Helm repository over
 * HTTP, a registry, a git repository and a directory. What the package comes to is asked of both.
 */

const VERSION = "0.3.1";

/** A chart of one object that says which chart it is of. */
async function writeChart(directory: string, name: string): Promise<void> {
  await writeSource(directory, {}, {
    "Chart.yaml": `apiVersion: v2\nname: ${name}\nversion: ${VERSION}\n`,
    "values.yaml": "greeting: default\n",
    "templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\n" +
      "metadata: { name: {{ .Chart.Name }}, namespace: {{ .Release.Namespace }} }\n" +
      "data: { version: {{ .Chart.Version | quote }}, greeting: {{ .Values.greeting | quote }} }\n",
  });
  await Deno.remove(`${directory}/zarf.yaml`);
}

async function helm(...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(await ensureTool(TOOLS.helm), { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

/** Files of a directory over HTTP, on loopback. */
function serveFiles(directory: string): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const name = new URL(request.url).pathname.split("/").at(-1) ?? "";
    const bytes = await Deno.readFile(`${directory}/${name}`).catch(() => undefined);
    return bytes === undefined ? new Response("", { status: 404 }) : new Response(bytes);
  });
}

/** The real registry, open to everybody on loopback. */
async function startRegistry(directory: string): Promise<AsyncDisposable & { address: string }> {
  const address = freeAddress();
  await Deno.writeTextFile(
    `${directory}/registry.yml`,
    `version: 0.1\nstorage: {filesystem: {rootdirectory: ${directory}/registry}}\n` +
      `http: {addr: ${address}}\n`,
  );
  const child = new Deno.Command(await ensureTool(TOOLS.registry), {
    args: ["serve", `${directory}/registry.yml`],
    stdout: "null",
    stderr: "null",
  }).spawn();
  await eventually("registry", async () => {
    const response = await fetch(`http://${address}/v2/`).catch(() => undefined);
    await response?.body?.cancel();
    return response?.ok ? true : undefined;
  }, 60_000);
  return {
    address,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

function objectsIn(text: string): string[] {
  return readObjects(text).map((object) => JSON.stringify(object)).sort();
}

async function ours(path: string): Promise<string[]> {
  const said = { out: "", err: "" };
  const tool = await ensureTool(TOOLS.helm);
  const tools = `--tools-dir=${tool.slice(0, tool.lastIndexOf("/"))}`;
  const code = await main(["package", "inspect", "manifests", path, tools], {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
  });
  assert.equal(code, EXIT.done, said.err);
  return objectsIn(said.out);
}

Deno.test("charts of every source come out as zarf renders them", () =>
  withDirectory(async (dir) => {
    const names = ["from-http", "from-oci", "from-git", "from-directory"];
    for (const name of names) await writeChart(`${dir}/charts/${name}`, name);
    await Deno.mkdir(`${dir}/served`);
    await helm("package", `${dir}/charts/from-http`, "--destination", `${dir}/served`);
    await helm("package", `${dir}/charts/from-oci`, "--destination", dir);
    await helm("repo", "index", `${dir}/served`);
    await using registry = await startRegistry(dir);
    const archive = `${dir}/from-oci-${VERSION}.tgz`;
    await helm("push", archive, `oci://${registry.address}/charts`, "--plain-http");
    await git(`${dir}/charts`, "init", "--quiet", "--initial-branch=main");
    await git(`${dir}/charts`, "add", "from-git");
    await git(
      ...[`${dir}/charts`, "-c", "user.name=t", "-c", "user.email=t@example.com"] as const,
      ...["commit", "--quiet", "-m", "chart"],
    );
    await git(`${dir}/charts`, "tag", "v1");
    const files = serveFiles(`${dir}/served`);
    try {
      const url = `http://127.0.0.1:${files.addr.port}`;
      const common = { namespace: "charts", valuesFiles: ["values.yaml"] };
      const source = await writeSource(`${dir}/source`, {
        metadata: { name: "sources", version: "1.0.0" },
        components: [{
          name: "all",
          required: true,
          charts: [
            { ...common, name: "from-http", version: VERSION, url },
            {
              ...{ ...common, name: "from-oci", version: VERSION },
              url: `oci://${registry.address}/charts/from-oci`,
            },
            {
              ...{ ...common, name: "from-git", version: "v1" },
              ...{ url: `file://${dir}/charts/.git`, gitPath: "from-git" },
            },
            {
              ...{ ...common, name: "from-directory", version: VERSION },
              localPath: `${dir}/charts/from-directory`,
            },
          ],
        }],
      }, { "values.yaml": "greeting: from the package\n" });
      const flags = ["--architecture=amd64", "--skip-sbom", "--plain-http"];
      const path = await zarfCreate(source, `${dir}/out`, flags);
      const { ok, output, text } = await zarf(["package", "inspect", "manifests", path]);
      assert(ok, text);
      const found = await ours(path);
      assert.deepEqual(found, objectsIn(output));
      for (const name of names) {
        assert(found.some((one) => one.includes(`"name":"${name}"`)), `${name} is not there`);
      }
      assert(found.every((one) => one.includes("from the package")));
    } finally {
      await files.shutdown();
    }
  }));
