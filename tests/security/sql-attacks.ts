/*
 * Attacks on the ClickHouse HTTP interface (C31). One statement a line, except where a line break is the attack.
 * `refusedForAll`: refused to a tenant's key and to the operator alike. `refusedForTenants`: to a tenant's key. `scoped`: may be answered, with the tenant's own rows only.
 */

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** Files and other machines by table function. */
const outside = lines(`
SELECT * FROM file('/etc/passwd', 'LineAsString')
SELECT * FROM file('/etc/passwd')
SELECT * FROM file('*', 'RawBLOB')
SELECT * FROM FILE('/etc/passwd', 'LineAsString', 'line String')
SELECT * FROM \`file\`('/etc/passwd', 'LineAsString')
SELECT * FROM "file"('/etc/passwd', 'LineAsString')
SELECT * FROM fileCluster('default', '/etc/passwd', 'LineAsString')
SELECT file('/etc/passwd')
SELECT FILE('/etc/passwd')
SELECT length(file('engine.xml'))
SELECT (SELECT file('/etc/passwd'))
SELECT * FROM url('http://127.0.0.1:8000/metrics', 'LineAsString')
SELECT * FROM url('file:///etc/passwd', 'LineAsString', 'line String')
SELECT * FROM urlCluster('default', 'http://127.0.0.1/', 'LineAsString')
SELECT * FROM s3('http://169.254.169.254/latest/meta-data', 'LineAsString')
SELECT * FROM s3Cluster('default', 'http://x/y', 'CSV')
SELECT * FROM gcs('http://x/y', 'CSV')
SELECT * FROM azureBlobStorage('http://x', 'y', 'z')
SELECT * FROM hdfs('hdfs://x:9000/y', 'CSV', 'a Int8')
SELECT * FROM remote('127.0.0.1', default.log_records)
SELECT * FROM remote('127.0.0.{1,2}:9000', 'default', 'log_records')
SELECT * FROM remoteSecure('127.0.0.1', default.log_records)
SELECT * FROM cluster('default', default.log_records)
SELECT * FROM clusterAllReplicas('default', default.log_records)
SELECT * FROM mysql('127.0.0.1:3306', 'db', 't', 'u', 'p')
SELECT * FROM postgresql('127.0.0.1:5432', 'db', 't', 'u', 'p')
SELECT * FROM mongodb('127.0.0.1:27017', 'db', 'c', 'u', 'p', 'a Int8')
SELECT * FROM redis('127.0.0.1:6379', 'k', 'k String')
SELECT * FROM sqlite('/work/control.db', 't')
SELECT * FROM odbc('DSN=x', 'db', 't')
SELECT * FROM jdbc('x', 'db', 't')
SELECT * FROM executable('id', 'TabSeparated', 'a String')
SELECT * FROM executable('cat /etc/passwd', TSV, 'a String')
SELECT * FROM iceberg('http://x/y')
SELECT * FROM icebergLocal('/tmp/x')
SELECT * FROM deltaLake('http://x/y')
SELECT * FROM deltaLakeLocal('/tmp/x')
SELECT * FROM hudi('http://x/y')
SELECT * FROM paimonLocal('/tmp/x')
SELECT * FROM ytsaurus('http://x', '//y', 'z', 'a Int8')
SELECT * FROM arrowFlight('127.0.0.1:9000', 'x')
SELECT * FROM prometheusQuery('a', 'b', 'c')
SELECT * FROM timeSeriesData('a', 'b')
SELECT * FROM python('x')
SELECT * FROM Python(df)
`);

/** Table functions that read or make tables inside the engine. */
const inside = lines(`
SELECT * FROM merge('default', 'log_records')
SELECT * FROM merge('.*')
SELECT * FROM merge(currentDatabase(), '^log')
SELECT * FROM merge(REGEXP('.*'), '.*')
SELECT * FROM view(SELECT * FROM log_records)
SELECT * FROM viewIfPermitted(SELECT * FROM touched ELSE null('a Int8'))
SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))
SELECT * FROM loop(log_records) LIMIT 5
SELECT * FROM loop('default', 'log_records') LIMIT 5
SELECT * FROM dictionary('d')
SELECT * FROM mergeTreeIndex(default, log_records)
SELECT * FROM mergeTreeParts(default, log_records)
SELECT * FROM mergeTreeProjection(default, log_records, p)
SELECT * FROM mergeTreeAnalyzeIndexes(default, log_records)
SELECT * FROM input('a Int8')
SELECT * FROM format(LineAsString, 'x')
SELECT * FROM format('Template', 'x')
SELECT * FROM values('a Int8', 1)
SELECT * FROM (VALUES (1), (2))
SELECT * FROM null('a Int8')
SELECT * FROM fuzzJSON('x')
SELECT * FROM fuzzQuery('SELECT 1')
SELECT * FROM generateRandom('a String', 1, 1000000) LIMIT 1000000
SELECT * FROM numbers(10)
SELECT sum(number) FROM numbers(100000000000)
SELECT count() FROM numbers_mt(1000000000000)
SELECT * FROM system.numbers
SELECT * FROM zeros(1000000000)
SELECT * FROM zeros_mt(1000000000)
SELECT * FROM generateSeries(1, 1000000000)
SELECT * FROM generate_series(1, 10)
SELECT * FROM primes(10)
SELECT 1 FROM log_records AS a, numbers(1000000000) AS b
SELECT 1 FROM log_records JOIN merge('default', 'touched') AS m ON 1 = 1
SELECT * FROM (SELECT * FROM (SELECT * FROM merge('default', 'log_records')))
WITH x AS (SELECT * FROM merge('default', 'log_records')) SELECT * FROM x
SELECT 1 WHERE 1 IN (SELECT number FROM numbers(5))
SELECT (SELECT max(number) FROM numbers(5))
SELECT 1 UNION ALL SELECT number FROM numbers(5)
SELECT 1 INTERSECT SELECT number FROM numbers(5)
SELECT 1 EXCEPT SELECT number FROM numbers(5)
DESCRIBE TABLE numbers(5)
DESCRIBE file('/etc/passwd', 'LineAsString')
DESCRIBE (SELECT * FROM merge('default', 'log_records'))
`);

/** The engine's own tables. */
const engineTables = lines(`
SELECT * FROM system.parts
SELECT * FROM system.query_log
SELECT * FROM system.processes
SELECT * FROM system.settings
SELECT * FROM system.server_settings
SELECT * FROM system.users
SELECT * FROM system.grants
SELECT * FROM system.disks
SELECT * FROM system.one
SELECT * FROM system.functions
SELECT * FROM system.parts_columns
SELECT * FROM system.detached_parts
SELECT * FROM system.mutations
SELECT * FROM system.dictionaries
SELECT * FROM system.named_collections
SELECT * FROM system.asynchronous_metrics
SELECT * FROM system.text_log
SELECT * FROM system.errors
SELECT * FROM system.stack_trace
SELECT * FROM system.user_processes
SELECT * FROM system.merges
SELECT * FROM system.zookeeper
SELECT * FROM system.remote_data_paths
SELECT * FROM "system"."parts"
SELECT * FROM \`system\`.\`parts\`
SELECT * FROM SYSTEM.parts
SELECT * FROM system . parts
SELECT * FROM system/**/./**/parts
SELECT * FROM /* x */ system.parts
SELECT * FROM information_schema.tables
SELECT * FROM INFORMATION_SCHEMA.TABLES
SELECT * FROM INFORMATION_SCHEMA.COLUMNS
SELECT * FROM information_schema.schemata
SELECT (SELECT count() FROM system.parts)
SELECT 1 IN (SELECT rows FROM system.parts)
SELECT 1 IN system.one
SELECT 'x' IN system.databases
SELECT x.rows FROM log_records JOIN system.parts AS x ON 1 = 1
SELECT 1 UNION ALL SELECT rows FROM system.parts
WITH p AS (SELECT rows FROM system.parts) SELECT * FROM p
SELECT * FROM (SELECT rows FROM system.parts) AS system
SELECT * FROM pulse_x.tables
SELECT * FROM nowhere.log_records
SELECT * FROM shadow_1.log_records
EXISTS TABLE system.parts
DESCRIBE TABLE system.parts
SHOW TABLES FROM system
SHOW TABLES LIKE '%'
SHOW CREATE TABLE log_records
SHOW CREATE DATABASE default
SHOW PROCESSLIST
SHOW GRANTS
SHOW USERS
SHOW SETTINGS LIKE '%'
SHOW COLUMNS FROM log_records
SHOW INDEX FROM log_records
SHOW FUNCTIONS
SHOW ENGINES
SHOW DICTIONARIES
SHOW CLUSTERS
SHOW MERGES
SHOW ACCESS
SHOW PROFILES
SHOW FILESYSTEM CACHES
`);

/** Settings in every place that takes them. */
const settings = lines(`
SELECT 1 SETTINGS max_threads = 1
SELECT 1 FORMAT JSON SETTINGS max_threads = 1
SELECT 1 SETTINGS max_threads = 1 FORMAT JSON
SELECT * FROM log_records SETTINGS additional_table_filters = {}
SELECT * FROM log_records SETTINGS additional_table_filters = {'default.log_records': '1'}
SELECT * FROM (SELECT * FROM log_records SETTINGS additional_table_filters = {})
SELECT Body FROM (SELECT Body FROM log_records SETTINGS additional_table_filters = {'default.log_records': 'tenant = 777001'}) AS x
SELECT 1 IN (SELECT tenant FROM log_records SETTINGS additional_table_filters = {})
WITH x AS (SELECT * FROM log_records SETTINGS additional_table_filters = {}) SELECT * FROM x
SELECT (SELECT groupArray(Body) FROM log_records SETTINGS additional_table_filters = {})
SELECT 1 UNION ALL (SELECT hash FROM log_records SETTINGS additional_table_filters = {})
SELECT 1 UNION ALL SELECT hash FROM log_records SETTINGS additional_table_filters = {}
SELECT 1 FROM log_records JOIN (SELECT Body FROM log_records SETTINGS readonly = 0) AS x ON 1 = 1
SELECT * FROM log_records SETTINGS readonly = 0
SELECT * FROM log_records SETTINGS/**/additional_table_filters/**/={}
SELECT * FROM log_records sEtTiNgS additional_table_filters = {}
SELECT * FROM log_records SETTINGS default
SELECT * FROM log_records SETTINGS param_x = 1
SET readonly = 0
SET additional_table_filters = {}
SET ROLE ALL
SET param_a = 1
USE system
DESCRIBE TABLE log_records SETTINGS describe_include_virtual_columns = 1
EXISTS TABLE log_records SETTINGS max_threads = 1
`);

/** Statements that write or steer. */
const commands = lines(`
INSERT INTO log_records (tenant, Body) VALUES (777001, 'x')
INSERT INTO log_records (tenant, Body) SELECT 1, 'x'
INSERT INTO FUNCTION file('/tmp/pulse-attack.tsv', 'TSV', 'a Int8') SELECT 1
INSERT INTO FUNCTION url('http://127.0.0.1/', 'TSV', 'a Int8') SELECT 1
INSERT INTO FUNCTION remote('127.0.0.1', default.log_records) SELECT * FROM log_records
INSERT INTO log_records FROM INFILE '/etc/passwd' FORMAT LineAsString
INSERT INTO log_records FORMAT JSONEachRow {"tenant":1}
CREATE TABLE x (a Int8) ENGINE = Memory
CREATE TEMPORARY TABLE x (a Int8)
CREATE TABLE x ENGINE = File(TSV, '/etc/passwd')
CREATE OR REPLACE TABLE log_records (a Int8) ENGINE = Memory
CREATE VIEW x AS SELECT * FROM log_records
CREATE MATERIALIZED VIEW x ENGINE = Memory AS SELECT * FROM log_records
CREATE DATABASE x
CREATE DATABASE x ENGINE = Filesystem('/etc')
CREATE FUNCTION leak AS () -> file('/etc/passwd')
CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(FILE(path '/etc/passwd' format 'TSV')) LAYOUT(FLAT()) LIFETIME(1)
CREATE USER x
CREATE ROLE x
CREATE ROW POLICY x ON log_records USING 1 TO ALL
CREATE NAMED COLLECTION x AS a = 1
CREATE INDEX i ON log_records (Body)
CREATE WORKLOAD w
ALTER TABLE log_records DELETE WHERE 1
ALTER TABLE log_records UPDATE tenant = 1 WHERE 1
ALTER TABLE log_records ADD COLUMN x Int8
ALTER TABLE log_records DROP PARTITION ID 'all'
ALTER TABLE log_records DETACH PART 'x'
ALTER TABLE log_records FREEZE
ALTER TABLE log_records ATTACH PARTITION ID 'x' FROM spans
ALTER TABLE log_records MODIFY TTL Timestamp + INTERVAL 1 SECOND
ALTER USER default IDENTIFIED BY 'x'
DROP TABLE log_records
DROP TABLE IF EXISTS log_records SYNC
DROP DATABASE default
DROP VIEW otel_logs
DROP FUNCTION counter_steps
DELETE FROM log_records WHERE 1
UPDATE log_records SET tenant = 1 WHERE 1
TRUNCATE TABLE log_records
TRUNCATE ALL TABLES FROM default
RENAME TABLE log_records TO x
EXCHANGE TABLES log_records AND spans
OPTIMIZE TABLE log_records FINAL
CHECK TABLE log_records
CHECK GRANT SELECT ON *.*
DETACH TABLE log_records
ATTACH TABLE log_records
ATTACH TABLE x FROM '/tmp' (a Int8) ENGINE = MergeTree ORDER BY a
UNDROP TABLE log_records
KILL QUERY WHERE 1
KILL QUERY WHERE query_id != '' SYNC
KILL MUTATION WHERE 1
GRANT ALL ON *.* TO default
REVOKE ALL ON *.* FROM default
SYSTEM SHUTDOWN
SYSTEM STOP MERGES
SYSTEM RELOAD CONFIG
SYSTEM FLUSH LOGS
SYSTEM DROP MARK CACHE
SYSTEM ENABLE FAILPOINT x
BACKUP TABLE log_records TO File('/tmp/pulse-attack.zip')
BACKUP DATABASE default TO Disk('default', 'x')
RESTORE TABLE log_records FROM File('/tmp/x.zip')
COPY log_records TO '/tmp/x'
BEGIN TRANSACTION
COMMIT
EXECUTE AS default SELECT 1
EXECUTE IMMEDIATE 'SELECT 1'
SELECT 1 PARALLEL WITH DROP TABLE log_records
SELECT 1 PARALLEL WITH SELECT 2
WATCH log_records
EXPLAIN SELECT * FROM log_records
EXPLAIN AST SELECT 1
EXPLAIN SYNTAX SELECT * FROM log_records
EXPLAIN QUERY TREE SELECT * FROM log_records
EXPLAIN PLAN indexes = 1 SELECT * FROM log_records
EXPLAIN PIPELINE SELECT * FROM log_records
EXPLAIN ESTIMATE SELECT * FROM log_records
EXPLAIN TABLE OVERRIDE file('/etc/passwd') COLUMNS (a Int8)
SELECT * FROM (EXPLAIN ESTIMATE SELECT * FROM log_records)
SELECT * FROM (EXPLAIN SELECT * FROM log_records)
SELECT * FROM (SHOW TABLES)
SELECT * FROM (SHOW PROCESSLIST)
SELECT * FROM log_records INTO OUTFILE '/tmp/pulse-attack.tsv'
SELECT 1 INTO OUTFILE '/tmp/pulse-attack.tsv' APPEND FORMAT TSV
SELECT 1 INTO OUTFILE '/tmp/pulse-attack.tsv' TRUNCATE COMPRESSION 'gzip'
SELECT 1 INTO OUTFILE '/tmp/pulse-attack.tsv' AND STDOUT
SELECT 1; DROP TABLE log_records
SELECT 1; SELECT 2
SELECT 1;;SELECT 2
SELECT 1 -- x
SELECT 1 FORMAT Template
SELECT 1 FORMAT Protobuf
SELECT 1 FORMAT MySQLWire
SELECT 1 FORMAT SQLInsert
SELECT 1 FORMAT NoSuchFormat
`).filter((sql) => sql !== 'SELECT 1 -- x');

/** Functions that read the machine, other tables, settings, or wait. */
const functions = lines(`
SELECT dictGet('d', 'a', 1)
SELECT dictGetOrDefault('d', 'a', 1, 2)
SELECT dictHas('d', 1)
SELECT joinGet('default.log_records', 'Body', 1)
SELECT joinGetOrNull('log_records', 'Body', 1)
SELECT hasColumnInTable('system', 'parts', 'rows')
SELECT getSetting('additional_table_filters')
SELECT getSettingOrDefault('additional_table_filters', '')
SELECT getServerSetting('path')
SELECT getMergeTreeSetting('fsync_after_insert')
SELECT getMacro('shard')
SELECT getServerPort('http_port')
SELECT getClientHTTPHeader('authorization')
SELECT getOSKernelVersion()
SELECT hostName()
SELECT hostname()
SELECT FQDN()
SELECT fullHostName()
SELECT tcpPort()
SELECT uptime()
SELECT serverUUID()
SELECT buildId()
SELECT filesystemAvailable()
SELECT filesystemCapacity()
SELECT currentProfiles()
SELECT enabledRoles()
SELECT queryID()
SELECT initialQueryID()
SELECT connectionId()
SELECT sleep(3)
SELECT sleepEachRow(1) FROM log_records
SELECT SLEEP(3)
SELECT throwIf(Body LIKE 'F%') FROM log_records
SELECT addressToLine(1)
SELECT addressToSymbol(1)
SELECT demangle('x')
SELECT logTrace('x')
SELECT tid()
SELECT catboostEvaluate('/tmp/m', 1)
SELECT evalMLMethod(1, 1)
SELECT naiveBayesClassifier('x', 'y')
SELECT showCertificate()
SELECT structureToCapnProtoSchema('a Int8')
SELECT structureToProtobufSchema('a Int8')
SELECT formatRow('CSV', 1)
SELECT formatQuery('SELECT 1')
SELECT fuzzQuery('SELECT 1')
SELECT normalizeQuery('SELECT 1')
SELECT encrypt('aes-128-ecb', 'a', 'b')
SELECT decrypt('aes-128-ecb', 'a', 'b')
SELECT generateSerialID('x')
SELECT generateRandomStructure(100)
SELECT globalVariable('x')
SELECT isMergeTreePartCoveredBy('a', 'b')
SELECT transactionID()
SELECT zookeeperSessionUptime()
SELECT runningConcurrency(now(), now())
SELECT blockNumber()
SELECT rowNumberInAllBlocks() FROM log_records
SELECT shardNum()
SELECT regionToName(1)
SELECT aiGenerate('x', 'y')
SELECT AIGenerate('x')
SELECT initializeAggregation('sumState', 1)
SELECT finalizeAggregation(CAST('x', 'AggregateFunction(sum, UInt64)'))
SELECT sumMerge(CAST('x', 'AggregateFunction(sum, UInt64)'))
SELECT uniqMerge(x) FROM (SELECT CAST(unhex('00'), 'AggregateFunction(uniq, UInt64)') AS x)
SELECT counter_steps([], 0)
SELECT __actionName(1, 'x')
SELECT __getScalar('x')
SELECT timeSeriesIdToTags(1)
SELECT timeSeriesStoreTags(1, [('a', 'b')])
SELECT flameGraph([1])
SELECT aggThrow(1)
SELECT chdb('SELECT 1')
SELECT arrayMap(x -> file('/etc/passwd'), [1])
SELECT if(1, file('/etc/passwd'), '')
SELECT * REPLACE (file('/etc/passwd') AS Body) FROM log_records
SELECT * APPLY(file) FROM log_records
SELECT * APPLY(x -> sleep(1)) FROM log_records
SELECT COLUMNS('Body') APPLY(throwIf) FROM log_records
SELECT count() FROM log_records HAVING sleep(3) = 0
SELECT 1 FROM log_records ORDER BY sleep(3)
SELECT sum(1) OVER (ORDER BY sleep(3)) FROM log_records
SELECT 1 LIMIT 1 BY file('x')
SELECT 1 FROM log_records WINDOW w AS (ORDER BY hostName())
SELECT 1 FROM log_records QUALIFY sleep(1) = 0
SELECT 1 FROM log_records GROUP BY GROUPING SETS ((hostName()))
SELECT x -> hostName() FROM log_records
SELECT 1 FROM log_records ARRAY JOIN [hostName()] AS x
SELECT 1 FROM log_records AS a JOIN log_records AS b ON a.Body = hostName()
SELECT 1 ORDER BY 1 WITH FILL FROM sleep(1) TO 2
`);

/** Ways to write something so that a reader of the text sees something else. */
const disguises: string[] = [
  "SELECT/**/*/**/FROM/**/file('/etc/passwd','LineAsString')",
  "SELECT * FROM /* /* nested */ */ file('/etc/passwd', 'LineAsString')",
  "SELECT * FROM -- comment\n file('/etc/passwd', 'LineAsString')",
  "SELECT * FROM # comment\n file('/etc/passwd', 'LineAsString')",
  'SELECT 1 -- \n; DROP TABLE log_records',
  "SELECT 'a\\'b', file('/etc/passwd'), 'c'",
  "SELECT 'a''b', file('/etc/passwd')",
  "SELECT $$a$$, file('/etc/passwd'), $$b$$",
  "SELECT $x$ ' $x$, file('/etc/passwd'), ' '",
  "SELECT '\\', file('/etc/passwd'), '",
  'SELECT "a\\"b", file(\'/etc/passwd\') FROM log_records',
  "SELECT `a\\`b`, file('/etc/passwd') FROM log_records",
  "SELECT 1 AS `x (children 1)`, file('/etc/passwd')",
  "SELECT 1 AS `a\n    Literal 1`, file('/etc/passwd')",
  'SELECT 1 AS `a\\n    Literal 1` FROM log_records',
  'SELECT * FROM `log_records\n   TableIdentifier series`',
  'SELECT * FROM `touched (alias x)`.`y`',
  'SELECT * FROM default.`log_records`.`x`',
  'SELECT * FROM `default.touched`.x',
  "SELECT\u00a0*\u00a0FROM\u00a0file('/etc/passwd','LineAsString')",
  "SELECT * FROM \uff46\uff49\uff4c\uff45('/etc/passwd')",
  "SELECT * FROM fi\u200ble('/etc/passwd')",
  'SELECT * FROM system\u2024parts',
  "SELECT * FROM log_records WHERE Body = \u2018x\u2019 OR file(\u2018/etc/passwd\u2019) = ''",
  'SELECT 1\0; DROP TABLE log_records',
  "SELECT 'a\0', file('/etc/passwd')",
  "\ufeffSELECT file('/etc/passwd')",
  'FROM system.parts SELECT *',
  'WITH (SELECT rows FROM system.parts LIMIT 1) AS x SELECT x',
  'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, system.one) SELECT * FROM r',
  '((SELECT * FROM system.parts))',
  "SELECT * FROM (((SELECT * FROM file('/etc/passwd', 'LineAsString'))))",
  "SELECT 1 WHERE EXISTS (SELECT * FROM file('/etc/passwd', 'LineAsString'))",
  "SELECT * FROM log_records WHERE Body IN file('/etc/passwd')",
  'SELECT * FROM log_records GLOBAL JOIN system.parts USING (x)',
  'SELECT * FROM log_records, system.parts',
  "SELECT CAST(file('/etc/passwd') AS String)",
  "SELECT file('/etc/passwd')::String",
  'SELECT {x:Identifier} FROM log_records',
  'SELECT * FROM {x:Identifier}',
  '',
  ';',
  '--',
  'SELECT',
  'HELP',
  '\\copy x',
  `SELECT ${'('.repeat(5000)}1${')'.repeat(5000)}`,
  `SELECT ${'1+'.repeat(60_000)}1`,
  `${'SELECT * FROM ('.repeat(300)}SELECT 1${')'.repeat(300)}`,
];

export const refusedForAll: readonly string[] = [
  ...outside,
  ...inside,
  ...engineTables,
  ...settings,
  ...commands,
  ...functions,
  ...disguises,
];

/** Tables that hold everybody's, and ways to look at rows before they are filtered. */
export const refusedForTenants: readonly string[] = lines(`
SELECT * FROM touched
SELECT * FROM default.touched
SELECT * FROM \`default\`.\`touched\`
SELECT * FROM rolled
SELECT * FROM dead_letters
SELECT * FROM dead_letter_replays
SELECT * FROM metered
SELECT * FROM metered_positions
SELECT * FROM sla_read
SELECT * FROM sla_positions
SELECT * FROM schema_migrations
SELECT count() FROM (SELECT * FROM touched)
WITH touched AS (SELECT 1 AS a) SELECT * FROM touched
WITH touched AS (SELECT 1 AS a) SELECT (SELECT count() FROM default.touched), a FROM touched
SELECT * FROM (WITH touched AS (SELECT 1 AS a) SELECT a FROM touched) AS x, touched
SELECT 1 IN touched
SELECT 777001 IN default.touched
SELECT (1, 2) NOT IN touched
SELECT 1 IN (SELECT tenant FROM touched)
SELECT 1 UNION ALL SELECT tenant FROM touched
SELECT x.tenant FROM log_records JOIN touched AS x ON 1 = 1
SELECT x.tenant FROM log_records LEFT JOIN touched AS x USING (tenant)
SELECT 1 FROM log_records WHERE (SELECT count() FROM touched) > 0
EXISTS TABLE touched
DESCRIBE TABLE touched
DESCRIBE (SELECT * FROM touched)
SELECT * FROM pulse_catalogue.tables
SELECT _part FROM log_records
SELECT _part_offset FROM log_records
SELECT _partition_id FROM log_records
SELECT _part_uuid, _part_index FROM log_records
SELECT _table FROM log_records
SELECT _block_number FROM log_records
SELECT log_records._part FROM log_records
SELECT x._part FROM log_records AS x
SELECT count() FROM log_records GROUP BY _part
SELECT count() FROM log_records WHERE _part_offset > 5
SELECT 1 FROM log_records ORDER BY _part_offset
SELECT count() FROM log_records PREWHERE Body LIKE 'F%'
SELECT count() FROM log_records PREWHERE toUInt32(Body) = 1
SELECT count() FROM log_records /**/ prewhere toUInt32(Body) = 1
SELECT count() FROM (SELECT 1 FROM log_records PREWHERE toUInt32(Body) = 1)
`);

/** May be answered; whatever comes has no row, name or number of another tenant in it. */
export const scoped: readonly string[] = lines(`
SELECT * FROM log_records
SELECT * FROM default.log_records
SELECT * FROM log_records FINAL
SELECT tenant, count() FROM log_records GROUP BY tenant
SELECT count() FROM log_records WHERE tenant = 777001
SELECT Body FROM log_records WHERE tenant = 777001 OR 1
SELECT Body FROM log_records WHERE 1 OR 1 = 1
SELECT Body FROM log_records WHERE tenant != 1
SELECT 1 AS tenant, Body FROM log_records
SELECT 1 AS tenant, Body FROM log_records WHERE tenant = 1
WITH 1 AS tenant SELECT Body, tenant FROM log_records
SELECT Body, tenant + 0 AS tenant FROM log_records WHERE tenant > 0
SELECT * EXCEPT (tenant) FROM log_records
SELECT * REPLACE (1 AS tenant) FROM log_records
SELECT COLUMNS('.*') FROM log_records
SELECT log_records.* FROM log_records
SELECT x.* FROM log_records AS x
SELECT * FROM log_records AS touched
SELECT * FROM otel_logs
SELECT * FROM default.otel_logs WHERE tenant = 777001
SELECT * FROM otel_traces
SELECT * FROM spans
SELECT * FROM samples
SELECT * FROM samples FINAL
SELECT * FROM series
SELECT groupUniqArray(metric) FROM series
SELECT * FROM histograms
SELECT * FROM exponential_histograms
SELECT * FROM summaries
SELECT * FROM exemplars
SELECT * FROM usage_events
SELECT * FROM usage_conflicts
SELECT * FROM series_hour
SELECT * FROM series_minute
SELECT * FROM usage_hour
SELECT * FROM billing_facts
SELECT * FROM sla_hour
SELECT * FROM tenants
SELECT * FROM tenants FINAL
SELECT count(), max(tenant), min(tenant), uniqExact(tenant) FROM tenants
SELECT id FROM tenants WHERE tenant IN (SELECT tenant FROM log_records)
SELECT a.Body, b.Body FROM log_records AS a CROSS JOIN log_records AS b
SELECT a.Body FROM log_records AS a FULL JOIN log_records AS b ON a.tenant != b.tenant
SELECT b.Body FROM tenants AS a RIGHT JOIN log_records AS b ON a.tenant = b.tenant
SELECT b.Body FROM tenants AS a ANY LEFT JOIN log_records AS b ON b.tenant > a.tenant
SELECT Body FROM log_records UNION ALL SELECT id FROM tenants
SELECT Body FROM log_records UNION DISTINCT SELECT Body FROM otel_logs
SELECT Body FROM log_records EXCEPT SELECT 'x'
SELECT Body FROM log_records INTERSECT SELECT Body FROM otel_logs
SELECT (SELECT groupArray(Body) FROM log_records)
SELECT (SELECT max(tenant) FROM tenants)
SELECT arrayMap(x -> (SELECT groupArray(Body) FROM log_records), [1])
SELECT 777001 IN (SELECT tenant FROM log_records)
SELECT EXISTS (SELECT 1 FROM log_records WHERE tenant = 777001)
WITH log_records AS (SELECT * FROM default.log_records) SELECT * FROM log_records
WITH x AS (SELECT * FROM log_records) SELECT * FROM x, x AS y
WITH x AS (SELECT * FROM default.log_records WHERE tenant = 777001) SELECT count() FROM x
WITH RECURSIVE r AS (SELECT max(hash) AS n FROM log_records UNION ALL SELECT n - 1 FROM r WHERE n > 0) SELECT count() FROM r
SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM log_records)))
FROM log_records SELECT *
SELECT DISTINCT Body FROM log_records
SELECT DISTINCT ON (tenant) Body, tenant FROM log_records
SELECT Body, tenant FROM log_records LIMIT 1 BY tenant
SELECT any(Body), anyLast(Body), groupArray(Body) FROM log_records
SELECT topK(10)(Body) FROM log_records
SELECT groupArray(Body) OVER () FROM log_records
SELECT lagInFrame(Body, 1, 'none') OVER (ORDER BY hash) FROM log_records
SELECT tenant, sum(value) FROM usage_events GROUP BY tenant WITH TOTALS
SELECT tenant, count() FROM log_records GROUP BY tenant WITH ROLLUP
SELECT tenant, count() FROM log_records GROUP BY tenant WITH CUBE
SELECT tenant, count() FROM log_records GROUP BY GROUPING SETS ((tenant), ())
SELECT count() FROM log_records WHERE toUInt32OrZero(Body) = 0
SELECT toUInt32(Body) FROM log_records
SELECT count() FROM log_records WHERE toUInt32(Body) = 1
SELECT count() FROM log_records WHERE intDiv(1, toUInt64(Body = 'mine')) = 1
SELECT toDate(Body) FROM log_records WHERE tenant = 777001
SELECT count() FROM log_records WHERE hash > 0 AND toUInt32(Body) = 1
SELECT count() FROM log_records FINAL WHERE hash > 0 AND toUInt32(Body) = 1
SELECT min(Timestamp), max(Timestamp), count() FROM log_records
SELECT max(hash), min(hash) FROM log_records
SELECT count() FROM log_records WHERE hash > 1000
SELECT * FROM log_records FORMAT JSON
SELECT * FROM log_records LIMIT 1 FORMAT JSONCompact
SELECT * FROM log_records LIMIT 1 FORMAT XML
SELECT * FROM log_records FORMAT PrettyCompact
SELECT * FROM log_records ORDER BY tenant DESC LIMIT 3 OFFSET 0
SELECT tenant FROM log_records ORDER BY tenant WITH FILL FROM 1 TO 5
SELECT * FROM system.tables
SELECT * FROM system.columns
SELECT * FROM system.databases
SELECT total_rows, total_bytes FROM system.tables
SELECT name FROM system.tables WHERE database = 'system'
SELECT name FROM "system"."tables"
SHOW TABLES
SHOW DATABASES
DESCRIBE TABLE log_records
EXISTS TABLE log_records
DESCRIBE (SELECT * FROM log_records)
SELECT Body FROM log_records WHERE Body LIKE '%FOREIGN%'
SELECT hex(Body) FROM log_records WHERE tenant = toUInt32(777001)
SELECT base64Encode(Body) FROM log_records
SELECT reverse(Body) FROM log_records
SELECT arrayJoin([Body]) FROM log_records ARRAY JOIN [1, 2] AS x
SELECT Body FROM log_records WHERE (tenant, 1) IN ((777001, 1), (2, 1))
SELECT Body FROM log_records ORDER BY toUInt32OrZero(Body)
SELECT CAST(Body, 'UInt8') FROM log_records
SELECT quantile(0.5)(hash) FROM log_records
SELECT sumIf(1, tenant = 777001) FROM log_records
SELECT isNull(tenant), tenant FROM log_records
SELECT max(toUInt32(ServiceName)), max(toUInt32(SpanName)) FROM spans
SELECT toUInt32(ServiceName) AS x, count() FROM spans GROUP BY x
SELECT count() FROM spans WHERE toUInt32(SpanName) = 7
SELECT count() FROM spans FINAL WHERE toUInt32(SpanName) = 7 OR tenant = 777001
SELECT CAST(ServiceName, 'Enum8(\\'5\\' = 1)') FROM spans LIMIT 1
SELECT sum(intDiv(1, toUInt8(length(ServiceName) = 1))) FROM spans
SELECT uniqExact(mapKeys(SpanAttributes)), any(intDiv(1, toUInt8(mapKeys(SpanAttributes)[1] = 'k'))) FROM spans
SELECT toUInt32(a.ServiceName) FROM spans AS a INNER JOIN spans AS b ON a.SpanId = b.SpanId AND toUInt32(b.SpanName) = 7 LIMIT 3
SELECT DISTINCT ServiceName, SpanName FROM spans
SELECT ServiceName FROM otel_traces GROUP BY ServiceName WITH TOTALS
SELECT count() FROM spans WHERE Timestamp > 0 AND toUInt32(ServiceName) = 5 AND toUInt32(SpanName) > 0
SELECT 'file(''/etc/passwd'')' AS harmless, Body FROM log_records
SELECT name FROM (SELECT Body AS name FROM log_records) WHERE name != ''
`);

/** What must work for a tenant's key; the answer as tab-separated text, or null when any will do. */
export const harmless: readonly (readonly [sql: string, answer: string | null])[] = [
  ['SELECT 1', '1'],
  ['SELECT 1;', '1'],
  ['  select 1 -- with a comment', '1'],
  ['SELECT version()', null],
  ['SELECT displayName(), version(), revision(), timezone()', null],
  ['SELECT timezone()', null],
  ['SELECT currentDatabase()', 'default'],
  ['SELECT count() FROM log_records', '3'],
  [
    "SELECT 'it''s; DROP TABLE x -- /* file(1) */ SETTINGS system.parts PREWHERE'",
    "it\\'s; DROP TABLE x -- /* file(1) */ SETTINGS system.parts PREWHERE",
  ],
  ["SELECT count() FROM log_records WHERE Body = 'mine' AND toStartOfHour(Timestamp) >= toDateTime(0)", '3'],
  [
    'SELECT toStartOfInterval(toDateTime(Timestamp), INTERVAL 60 second) AS time, count() AS n FROM log_records GROUP BY time ORDER BY time',
    null,
  ],
  ["SELECT name FROM system.tables WHERE database = 'default' AND name = 'samples'", 'samples'],
  [
    "SELECT name, type FROM system.columns WHERE database = 'default' AND table = 'samples' AND name = 'value'",
    'value\tFloat64',
  ],
  ['DESC TABLE "default"."log_records"', null],
  ['SHOW DATABASES', 'default'],
  ['WITH x AS (SELECT hash FROM log_records) SELECT count() FROM x AS a INNER JOIN x AS b USING (hash)', '3'],
  ['SELECT arrayMap(x -> x * 2, [1, 2]), arrayJoin([1])', '[2,4]\t1'],
  [
    'SELECT quantileTDigestIf(0.5)(hash, hash > 0) > 0, countDistinct(Body), sumMap(map(1, 2)) FROM log_records',
    '1\t1\t{1:6}',
  ],
  ['SELECT row_number() OVER (PARTITION BY tenant ORDER BY hash) AS n FROM log_records ORDER BY n DESC LIMIT 1', '3'],
  ["SELECT attributes['component'] FROM series WHERE metric = 'm'", 'mine'],
  [
    "SELECT multiIf(1 > 2, 'a', 'b'), transform(1, [1], ['x'], 'y'), CAST(1, 'Nullable(String)'), tuple(1, 2).2",
    'b\tx\t1\t2',
  ],
  ['SELECT id FROM tenants FINAL', 'own-isp'],
  [
    "SELECT lower(hex(toFixedString('', 8))), fromUnixTimestamp64Milli(0, 'UTC')",
    '0000000000000000\t1970-01-01 00:00:00.000',
  ],
  ['SELECT 1 WHERE 1 IN (1, 2) AND 3 NOT IN (SELECT tenant FROM log_records)', '1'],
  ['SELECT 1 FORMAT TabSeparatedWithNames', '1\n1'],
  ['SELECT max(tenant) FROM log_records', '1'],
];
