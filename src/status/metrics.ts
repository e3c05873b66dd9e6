/** What a metric counts or shows. */
export type MetricType = "counter" | "gauge";

/** One metric with its samples. Names start with `holdfast_` and end in their unit. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly samples: readonly Sample[];
}

/** One value, with labels where there are several. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The text exposition format, version 0.0.4 (prometheus.io, "Exposition formats"). */
export function renderMetrics(metrics: readonly Metric[]): string {
  return metrics.map(renderMetric).join("");
}

function renderMetric(metric: Metric): string {
  const lines = metric.samples.map((sample) =>
    `${metric.name}${renderLabels(sample.labels ?? {})} ${sample.value}\n`
  );
  return `# HELP ${metric.name} ${
    escapeHelp(metric.help)
  }\n# TYPE ${metric.name} ${metric.type}\n` +
    lines.join("");
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
