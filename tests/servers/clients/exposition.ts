/** One line of the Prometheus text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a program says of itself on its metrics page. */
export interface Samples {
  /** Sum over all series of a name whose labels are as asked; 0 when there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
  readonly all: readonly Sample[];
}

/** Reads the Prometheus text format 0.0.4. */
export function parseExposition(text: string): Samples {
  const all: Sample[] = [];
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (match === null) continue;
    const labels: Record<string, string> = {};
    for (const [, name = '', value = ''] of (match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
      labels[name] = value;
    all.push({ name: match[1] ?? '', labels, value: Number(match[3]) });
  }
  return {
    all,
    sum: (name, labels = {}) => {
      let total = 0;
      for (const sample of all) {
        const asked = Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
        if (sample.name === name && asked) total += sample.value;
      }
      return total;
    },
  };
}
