/** Zarf's record of a package as far as it is rearranged. */
interface PackageRecord {
  readonly data: { readonly components: readonly { readonly name: string }[] };
  readonly deployedComponents: readonly DeployedComponent[];
}

interface DeployedComponent {
  readonly name: string;
  readonly installedCharts?: readonly {
    readonly namespace: string;
    readonly chartName: string;
  }[];
}

/**
 * A record with charts and components of the definition by name: the order of charts is that of a Go
 * map, none. What Go writes of members without content is left out.
 */
export function normalisedRecord(record: PackageRecord): unknown {
  const { data, deployedComponents } = record;
  const { build: _, ...definition } = data as PackageRecord["data"] & { build?: unknown };
  return {
    ...record,
    data: withoutEmpty({
      ...definition,
      components: Object.fromEntries(data.components.map((one) => [one.name, one])),
    }),
    deployedComponents: deployedComponents.map((component) => ({
      ...component,
      installedCharts: Object.fromEntries(
        (component.installedCharts ?? []).map((chart) => [
          `${chart.namespace} ${chart.chartName}`,
          chart,
        ]),
      ),
    })),
  };
}

/** Objects without members are no members. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, withoutEmpty(one)] as const);
  return Object.fromEntries(entries.filter(([, one]) => !isEmpty(one)));
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.keys(value).length === 0;
}
