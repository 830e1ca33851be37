export { type ChdbStoreOptions, createChdbStore } from './chdb-store.ts';
export { defineQuery, noParams } from './define-query.ts';
export { scaledDecimal } from './native-block.ts';
export type { Block, Column, ColumnType, Query, QueryOptions, Store } from './port.ts';
