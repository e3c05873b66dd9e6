/** A systemd unit: values by section and key, in the order of the file (systemd.syntax(7)). */
export type UnitFile = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

/** Reads a unit that continues no line. */
export function readUnit(text: string): UnitFile {
  const unit = new Map<string, Map<string, string[]>>();
  let section = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [, name] = /^\[(.+)\]$/.exec(line) ?? [];
    const [, key, value = ""] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) unit.set(name, section = new Map());
    else if (key !== undefined) section.set(key, [...section.get(key) ?? [], value]);
  }
  return unit;
}

/** The words of a key's values. */
export function words(unit: UnitFile, section: string, key: string): string[] {
  return (unit.get(section)?.get(key) ?? []).flatMap((value) => value.split(" "));
}
