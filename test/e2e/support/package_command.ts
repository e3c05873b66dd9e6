import { HOLDFAST } from "./agent.ts";

/** Runs `package …` of the compiled program with nothing of this process's environment. */
export async function holdfastPackage(...args: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(HOLDFAST, {
    args: ["package", ...args],
    clearEnv: true,
    env: { HOME: "/nonexistent", PATH: "/usr/bin:/bin" },
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out: out ?? "", err: err ?? "" };
}
