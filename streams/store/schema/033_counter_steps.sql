-- The growth of one counter, point by point, one writer at a time: the rule of streams/otlp/counter-steps.ts in SQL, tested against it.
-- points: (millisecond, value, start millisecond or 0 when none was named) ascending, one a millisecond; since: a first point whose start is not before it counts from zero.
-- Answers (base, kind, millisecond, value) a point; its growth is value - base, nothing when base is NaN. Kinds: 0 step, 1 started, 2 reset, 3 unknown start, 4 overlap.
-- Points that only grow, or begin again after the point before, take the first branch; a fall or a second start goes point by point, in three phases a point:
--   0 what is five minutes old is decided; 1 what the point is (action); 2 its answer and the state after it.
-- State: 1 answers so far; 2, 3, 4 value, time and start that are followed; 5, 6, 7 first index, value and time of points below it (index 0: none); 8, 9 value and time of a covered writer (NaN: none);
--   10 action; 11 to 15 first index, index of the return, lower value, its time and old level of a fall after which the old level came back (index 0: none).
-- Actions: 1 first, 2 clean reset, 3 an older start, 4 another start takes over, 5 step, 6 fall, 7 return above a covered writer, 8 growth below, 9 a second fall below, 10 a fall that shows two writers, 11 first return.
-- Phases, because a name given inside an expression is put in as text at every use: without them reading the statement takes a second.
CREATE OR REPLACE FUNCTION counter_steps AS (points, since) -> if(
  arrayAll((p, q) -> (p.3 > q.3 AND p.3 >= q.1) OR (p.2 >= q.2 AND (p.3 = 0) = (q.3 = 0) AND abs(p.3 - q.3) <= 1000), arrayPopFront(points), arrayPopBack(points)) AS is_plain,
  arrayMap((p, q, i) -> multiIf(
      i = 1 AND p.3 > 0 AND p.3 < p.1 AND p.3 >= since, (toFloat64(0), toUInt8(1), p.1, p.2),
      i = 1, (nan, toUInt8(3), p.1, p.2),
      p.3 > q.3 AND p.3 >= q.1 AND p.3 < p.1, (toFloat64(0), toUInt8(2), p.1, p.2),
      p.3 > q.3 AND p.3 >= q.1, (nan, toUInt8(3), p.1, p.2),
      (q.2, toUInt8(0), p.1, p.2)),
    points, arraySlice(arrayPushFront(points, points[1]), 1, length(points)), arrayEnumerate(points)),
  tupleElement(arrayFold((acc, x) -> tuple(
      if(x.4 = 2, arrayPushBack(
        if(acc.10 IN (7, 10), arrayMap((s, i) -> multiIf(
            (acc.10 = 7 AND i >= acc.5) OR (acc.10 = 10 AND ((i >= acc.11 AND i < acc.12)
              OR i = arrayLastIndex((r, j) -> j < acc.11 AND r.2 = 0 AND r.1 <= acc.1[acc.11].4 AND r.4 > acc.1[acc.11].4 AND acc.1[acc.11].3 - r.3 <= 300000, acc.1, arrayEnumerate(acc.1)))),
            (nan, toUInt8(4), s.3, s.4),
            acc.10 = 10 AND i = acc.12, (acc.15, toUInt8(0), s.3, s.4),
            s), acc.1, arrayEnumerate(acc.1)), acc.1),
        (toFloat64(multiIf(
            acc.10 = 1, if(x.3 > 0 AND x.3 < x.1 AND x.3 >= since AS is_known, 0, nan), acc.10 = 2, if(x.3 < x.1, 0, nan), acc.10 IN (3, 4), nan, acc.10 IN (5, 7), acc.2,
            acc.10 IN (8, 11), acc.6, acc.10 = 10, acc.13, isNaN(acc.8), 0, acc.10 = 6 AND acc.8 <= x.2, acc.8, nan)),
          toUInt8(multiIf(acc.10 = 1, if(is_known, 1, 3), acc.10 = 2, if(x.3 < x.1, 2, 3), acc.10 IN (3, 4), 4, acc.10 IN (5, 7, 8, 10, 11), 0, isNaN(acc.8), 2, acc.10 = 6 AND acc.8 <= x.2, 0, 4)),
          x.1, x.2)), acc.1),
      multiIf(x.4 = 2 AND acc.10 IN (1, 2, 4, 5, 7, 11), x.2, x.4 = 0 AND is_decided, acc.6, acc.2),
      multiIf(x.4 = 2 AND acc.10 IN (1, 2, 4, 5, 7, 11), x.1, x.4 = 0 AND is_decided, acc.7, acc.3),
      if(x.4 = 2 AND acc.10 IN (1, 2, 4, 5, 7, 11), x.3, acc.4),
      multiIf(x.4 = 2 AND acc.10 IN (6, 10), toUInt32(length(acc.1) + 1), (x.4 = 2 AND acc.10 IN (2, 4, 7, 11)) OR (x.4 = 0 AND is_decided), toUInt32(0), acc.5),
      if(x.4 = 2 AND acc.10 IN (6, 8, 9, 10), x.2, acc.6),
      if(x.4 = 2 AND acc.10 IN (6, 8, 9, 10), x.1, acc.7),
      multiIf(
        (x.4 = 2 AND acc.10 IN (2, 4)) OR (x.4 = 0 AND ((acc.5 > 0 AND ((x.3 = 0) != (acc.4 = 0) OR abs(x.3 - acc.4) > 1000 OR x.1 - acc.3 > 300000) AS is_decided) OR (acc.5 = 0 AND x.1 - acc.9 > 300000))), nan,
        x.4 = 2 AND acc.10 = 7, acc.6, x.4 = 2 AND acc.10 = 10, acc.13, acc.8),
      multiIf(x.4 = 2 AND acc.10 = 7, acc.7, x.4 = 2 AND acc.10 = 10, x.1, acc.9),
      if(x.4 = 1, toUInt8(multiIf(
        empty(acc.1), 1,
        x.3 > acc.4 AND x.3 >= acc.3, 2,
        NOT ((x.3 = 0) = (acc.4 = 0) AND abs(x.3 - acc.4) <= 1000 AS is_same) AND x.3 < acc.4 AND x.1 - acc.3 <= 300000, 3,
        NOT is_same, 4,
        acc.5 = 0 AND x.2 >= acc.2, 5,
        acc.5 = 0 AND acc.11 > 0 AND x.2 >= acc.13, 10,
        acc.5 = 0, 6,
        x.2 >= acc.2 AND isNaN(acc.8), 11,
        x.2 >= acc.2, 7,
        x.2 >= acc.6, 8,
        9)), acc.10),
      multiIf(x.4 = 2 AND acc.10 = 11, acc.5, (x.4 = 2 AND acc.10 IN (2, 4, 6, 10)) OR (x.4 = 0 AND x.1 - acc.14 > 300000), toUInt32(0), acc.11),
      if(x.4 = 2 AND acc.10 = 11, toUInt32(length(acc.1) + 1), acc.12),
      if(x.4 = 2 AND acc.10 = 11, acc.6, acc.13),
      if(x.4 = 2 AND acc.10 = 11, acc.7, acc.14),
      if(x.4 = 2 AND acc.10 = 11, acc.2, acc.15)),
    if(is_plain, [], arrayFlatten(arrayMap(p -> [(p.1, p.2, p.3, toUInt8(0)), (p.1, p.2, p.3, toUInt8(1)), (p.1, p.2, p.3, toUInt8(2))], points))),
    (CAST([], 'Array(Tuple(Float64, UInt8, Int64, Float64))'), toFloat64(0), toInt64(0), toInt64(0), toUInt32(0), toFloat64(0), toInt64(0), nan, toInt64(0),
      toUInt8(0), toUInt32(0), toUInt32(0), toFloat64(0), toInt64(0), toFloat64(0))), 1));

-- The same for points that need no more than the point before; stops the statement (code 395) at others. Takes a tenth of the time to read.
CREATE OR REPLACE FUNCTION counter_plain_steps AS (points, since) -> arrayMap((p, q, i) -> multiIf(
    i = 1 AND p.3 > 0 AND p.3 < p.1 AND p.3 >= since, (toFloat64(0), toUInt8(1), p.1, p.2),
    i = 1, (nan, toUInt8(3), p.1, p.2),
    p.3 > q.3 AND p.3 >= q.1 AND p.3 < p.1, (toFloat64(0), toUInt8(2), p.1, p.2),
    p.3 > q.3 AND p.3 >= q.1, (nan, toUInt8(3), p.1, p.2),
    (q.2, toUInt8(throwIf(i > 1 AND NOT (p.3 > q.3 AND p.3 >= q.1) AND (p.2 < q.2 OR (p.3 = 0) != (q.3 = 0) OR abs(p.3 - q.3) > 1000))), p.1, p.2)),
  points, arraySlice(arrayPushFront(points, points[1]), 1, length(points)), arrayEnumerate(points))
