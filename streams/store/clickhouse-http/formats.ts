/** Formats without head and tail, whose pieces make the whole when put one after the other. */
const piecewise = new Set(
  [
    'JSONEachRow',
    'JSONLines',
    'NDJSON',
    'JSONStringsEachRow',
    'JSONCompactEachRow',
    'JSONCompactStringsEachRow',
    'TabSeparated',
    'TSV',
    'TabSeparatedRaw',
    'TSVRaw',
    'CSV',
    'Values',
    'LineAsString',
    'Native',
    'RowBinary',
    'MsgPack',
  ].map((name) => name.toLowerCase()),
);

export const isPiecewise = (format: string): boolean => piecewise.has(format.toLowerCase());

const utf8 = 'charset=UTF-8';
/** The content type of a format. *Source* ClickHouse `src/Formats`, as far as clients look at it. */
export function contentTypeOf(format: string): string {
  const name = format.toLowerCase();
  if (/^(json\w*eachrow\w*|jsonlines|ndjson)$/.test(name)) return `application/x-ndjson; ${utf8}`;
  if (/^(json|pretty.*json)/.test(name)) return `application/json; ${utf8}`;
  if (name.startsWith('csv')) return `text/csv; ${utf8}; header=${name === 'csv' ? 'absent' : 'present'}`;
  if (/^(tsv|tabseparated)/.test(name)) return `text/tab-separated-values; ${utf8}`;
  if (name === 'xml') return `application/xml; ${utf8}`;
  if (/^(native|rowbinary\w*|parquet|arrow\w*|orc|avro|msgpack|bson\w*|protobuf\w*|capnproto|npy)$/.test(name))
    return 'application/octet-stream';
  return `text/plain; ${utf8}`;
}

/** The format that a statement ends with, or null. A guess by its text: it decides about headers, never about what is run. */
export function formatClause(sql: string): string | null {
  return /\bFORMAT\s+(\w+)\s*(?:SETTINGS\b[\s\S]*)?;?\s*$/i.exec(sql)?.[1] ?? null;
}
