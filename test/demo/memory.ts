/** Resident memory of a process, in bytes. */
export interface Memory {
  readonly residentBytes: number;
  /** The most that it ever was. */
  readonly peakBytes: number;
}

/** @throws {Deno.errors.NotFound} when there is no such process. */
export function memoryOf(pid: number): Memory {
  return parseMemory(Deno.readTextFileSync(`/proc/${pid}/status`));
}

/** Reads VmRSS and VmHWM of `/proc/<pid>/status`, whose kB are 1024 bytes (proc(5)). */
export function parseMemory(status: string): Memory {
  const bytes = (name: string) => {
    const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
    if (kilobytes === undefined) throw new Error(`the process has no ${name}: it has ended`);
    return Number(kilobytes) * 1024;
  };
  return { residentBytes: bytes("VmRSS"), peakBytes: bytes("VmHWM") };
}

/** Bytes that the files below `path` take on the disk; a file with several names counts once. */
export async function diskUsage(path: string): Promise<number> {
  const { code, stdout, stderr } = await new Deno.Command("du", {
    args: ["-s", "-B1", "--", path],
    env: { LC_ALL: "C" },
  }).output();
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`du ended with ${code}: ${text.decode(stderr).trim()}`);
  return Number(text.decode(stdout).split("\t")[0]);
}
