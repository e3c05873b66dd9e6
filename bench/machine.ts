import { cpus, totalmem } from "node:os";

/** What a measurement was made on, in a few words: `2 x AMD EPYC, 23 GiB, Linux 6.18, Deno 2.7.11`. */
export function describeMachine(): string {
  const processors = cpus();
  const model = processors[0]?.model.replaceAll(/\((R|TM)\)|\bProcessor\b/g, "").trim() ?? "";
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const kernel = `${Deno.build.os} ${Deno.osRelease().replace(/[-+].*$/, "")}`;
  return `${processors.length} x ${model}, ${memory}, ${kernel}, Deno ${Deno.version.deno}`;
}
