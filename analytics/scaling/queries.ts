import { defineQuery } from 'streams/store';
import { z } from 'zod';

const params = z.object({ tenants: z.array(z.number().int()), start: z.number(), end: z.number() });

/** See `sql/cpu_minutes.sql`. */
export const cpuMinutesQuery = defineQuery({
  file: new URL('./sql/cpu_minutes.sql', import.meta.url),
  params,
  row: z.object({ tenantNumber: z.number(), minute: z.number(), cores: z.number(), newestMs: z.number() }),
});

/** See `sql/cpu_hours.sql`. */
export const cpuHoursQuery = defineQuery({
  file: new URL('./sql/cpu_hours.sql', import.meta.url),
  params,
  row: z.object({ tenantNumber: z.number(), hour: z.number(), cores: z.number() }),
});
