/**
 * `deno task generate`: writes `src/talos/api/`, the messages and services of Talos' API, from the
 * definitions that are compiled into the Go module that is pinned. A test compares what is there.
 *
 * @module
 */
import { fromBinary } from "@bufbuild/protobuf";
import { CodeGeneratorResponseSchema } from "@bufbuild/protobuf/wkt";
import { ensureTool, REPOSITORY_ROOT, ToolError, TOOLS } from "./go_tools.ts";

/** The files that hold what is called; what they import comes with them. */
const PROTO_FILES = [
  "machine/machine.proto",
  "machine/image.proto",
  "machine/lifecycle.proto",
  "v1alpha1/resource.proto",
  "v1alpha1/state.proto",
];
const OPTIONS = "target=ts,import_extension=ts";
const PLUGIN = `${REPOSITORY_ROOT}/node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es`;
const TIMEOUT = 60_000;

/** One generated file, by its path below `src/talos/api`. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

/**
 * What the definitions come to in TypeScript.
 *
 * @throws {ToolError} when the Go part cannot be built, or the generator refuses.
 */
export async function generateTalosApi(): Promise<GeneratedFile[]> {
  const descriptors = await ensureTool(TOOLS.talosDescriptors);
  const request = await run(descriptors, [OPTIONS, ...PROTO_FILES]);
  const response = await run(Deno.execPath(), ["run", "-A", PLUGIN], request);
  const { file, error } = fromBinary(CodeGeneratorResponseSchema, response);
  if (error !== "") throw failed(error);
  return file.map(({ name, content }) => ({ path: name, text: content }));
}

async function run(
  command: string,
  args: readonly string[],
  input: Uint8Array<ArrayBuffer> = new Uint8Array(),
): Promise<Uint8Array<ArrayBuffer>> {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(TIMEOUT),
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(input);
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  if (code !== 0) throw failed(new TextDecoder().decode(stderr).slice(-MAX_ERROR));
  return stdout;
}

/** Characters of the generator's complaint that are shown. */
const MAX_ERROR = 2_000;

function failed(why: string): ToolError {
  return new ToolError({
    reason: "ToolBuildFailed",
    message: `Talos' API could not be generated: ${why}`,
    kept: "src/talos/api is unchanged",
  });
}

if (import.meta.main) {
  for (const { path, text } of await generateTalosApi()) {
    const file = `${REPOSITORY_ROOT}/src/talos/api/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(file, text);
  }
}
