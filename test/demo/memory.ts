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

/** Bytes of a block as stat(2) counts them. */
const BLOCK = 512;

/**
 * Bytes that `path` and what is below it take on the disk, as `du` counts them: a file with several
 * names once. Unlike `du` it bears files that come, go and move meanwhile; what is not there takes
 * nothing.
 */
export async function diskUsage(path: string): Promise<number> {
  const seen = new Set<string>();
  const usage = async (path: string): Promise<number> => {
    const info = await unlessGone(Deno.lstat(path));
    const key = `${info?.dev}:${info?.ino}`;
    if (info === undefined || seen.has(key)) return 0;
    seen.add(key);
    let bytes = (info.blocks ?? 0) * BLOCK;
    if (!info.isDirectory) return bytes;
    const entries = await unlessGone(Array.fromAsync(Deno.readDir(path))) ?? [];
    for (const { name } of entries) bytes += await usage(`${path}/${name}`);
    return bytes;
  };
  return await usage(path);
}

async function unlessGone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
