/**
 * Enqueueing by plain SQL, in whatever transaction is open: a function in the schema. It checks what the door in
 * TypeScript checks and knows the same defaults, but not those of a task, which lie in the application's code.
 */

const NAME = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$";
const OPTIONS =
  "queue priority delay runAt expiresIn expiresAt retries backoff timeout key uniqueBy uniqueUntil metadata tags description executionBackend executionProfile requeueOnShutdown";
const YEARS_100 = 3_153_600_000_000;
const LATEST = 253_402_300_799_999;

/** The functions, given the schema's quoted name. */
export function enqueueFunctions(s: string): readonly string[] {
  return [refuse(s), duration(s), whole(s), word(s), name(s), instant(s), backoff(s), enqueue(s)];
}

function refuse(s: string): string {
  return `create function ${s}.enqueue_refuse(what text, value jsonb, expected text) returns void language plpgsql as $$
begin
  raise exception '% is %, not %', what, left(coalesce(value::text, 'null'), 80), expected using errcode = '22023';
end $$`;
}

function duration(s: string): string {
  return `create function ${s}.enqueue_duration(value jsonb, what text, at_least integer) returns bigint language plpgsql as $$
declare
  parts text[];
  millis numeric;
begin
  if jsonb_typeof(value) = 'number' then
    millis := value::text::numeric;
  elsif jsonb_typeof(value) = 'string' then
    parts := regexp_match(value #>> '{}', '^([0-9]{1,15}(?:[.][0-9]{1,6})?)(ms|s|m|h|d)$');
    millis := parts[1]::numeric * case parts[2] when 'ms' then 1 when 's' then 1000 when 'm' then 60000 when 'h' then 3600000 else 86400000 end;
  end if;
  if millis is null or millis < at_least or millis > ${YEARS_100} then
    perform ${s}.enqueue_refuse(what, value, 'a duration like "250ms", "30s", "5m", "2h", "1d" or a number of milliseconds, at least ' || at_least || ' ms, at most 100 years');
  end if;
  return ceil(millis)::bigint;
end $$`;
}

function whole(s: string): string {
  return `create function ${s}.enqueue_number(value jsonb, what text, at_least integer, at_most integer, fractions boolean) returns numeric language plpgsql as $$
declare
  number numeric;
begin
  if jsonb_typeof(value) = 'number' then
    number := value::text::numeric;
  end if;
  if number is null or number < at_least or number > at_most or (number % 1 <> 0 and not fractions) then
    perform ${s}.enqueue_refuse(what, value, case when fractions then 'a number from ' else 'a whole number from ' end || at_least || ' to ' || at_most);
  end if;
  return case when fractions then number else trunc(number) end;
end $$`;
}

/** Lengths are counted as JavaScript does, to which a character beyond the basic plane is two. */
function word(s: string): string {
  return `create function ${s}.enqueue_text(value jsonb, what text, at_most integer) returns text language plpgsql as $$
declare
  word text := value #>> '{}';
begin
  if jsonb_typeof(value) is distinct from 'string' or word = '' or char_length(word) + char_length(regexp_replace(word, '[\\u0001-\\uffff]', '', 'g')) > at_most then
    perform ${s}.enqueue_refuse(what, value, 'a text of 1 to ' || at_most || ' characters');
  end if;
  return replace(word, chr(26), chr(26) || '001a');
end $$`;
}

function name(s: string): string {
  return `create function ${s}.enqueue_name(value jsonb, what text) returns text language plpgsql as $$
begin
  if jsonb_typeof(value) is distinct from 'string' or (value #>> '{}') collate "C" !~ '${NAME}' then
    perform ${s}.enqueue_refuse(what, value, 'a name: 1 to 200 letters, digits and ._:- with a letter or digit first');
  end if;
  return value #>> '{}';
end $$`;
}

function instant(s: string): string {
  return `create function ${s}.enqueue_instant(value jsonb, what text) returns bigint language plpgsql as $$
declare
  millis numeric;
begin
  if value is null then
    return null;
  end if;
  if jsonb_typeof(value) = 'number' then
    millis := value::text::numeric;
  elsif jsonb_typeof(value) = 'string' and (value #>> '{}') ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}.*(Z|[+-][0-9]{2}(:?[0-9]{2})?)$' then
    begin
      millis := extract(epoch from (value #>> '{}')::timestamptz) * 1000;
    exception when data_exception then
      millis := null;
    end;
  end if;
  if millis is null or millis < 0 or millis > ${LATEST} then
    perform ${s}.enqueue_refuse(what, value, 'milliseconds since 1970 or a time with its zone like "2030-01-01T12:00:00Z"');
  end if;
  return ceil(millis)::bigint;
end $$`;
}

/** The middle of a policy: kind, delay, factor, maxDelay, jitter. */
function backoff(s: string): string {
  return `create function ${s}.enqueue_backoff(value jsonb, what text) returns text language plpgsql as $$
declare
  delay bigint;
  field text;
begin
  if value is null then
    return '"exponential",1000,2,3600000,0.2';
  end if;
  if jsonb_typeof(value) <> 'object' then
    delay := ${s}.enqueue_duration(value, what, 0);
    return format('"fixed",%s,1,%s,0', delay, delay);
  end if;
  if coalesce(value ->> 'type', '') not in ('fixed', 'linear', 'exponential') then
    perform ${s}.enqueue_refuse(what || '.type', value -> 'type', '"fixed", "linear" or "exponential"');
  end if;
  for field in select key from jsonb_each(value) where key not in ('type', 'delay', 'factor', 'maxDelay', 'jitter') loop
    raise exception '% has no field "%"', what, left(field, 80) using errcode = '22023';
  end loop;
  delay := ${s}.enqueue_duration(coalesce(value -> 'delay', '1000'), what || '.delay', 0);
  return format('"%s",%s,%s,%s,%s', value ->> 'type', delay,
    ${s}.enqueue_number(coalesce(value -> 'factor', '2'), what || '.factor', 1, 100, true),
    ${s}.enqueue_duration(coalesce(value -> 'maxDelay', to_jsonb(greatest(delay, 3600000))), what || '.maxDelay', 0),
    ${s}.enqueue_number(coalesce(value -> 'jitter', '0.2'), what || '.jitter', 0, 1, true));
end $$`;
}

function enqueue(s: string): string {
  const namespace = s.slice(1, -1);
  const names = OPTIONS.split(" ");
  return `create function ${s}.enqueue(task text, input jsonb default null, options jsonb default '{}') returns text language plpgsql as $$
declare
  who text := 'enqueue of ' || left(coalesce(task, 'null'), 80);
  o jsonb := '{}';
  field text;
  identity text;
  unique_key text;
  holder text;
  now_ms bigint;
  ready bigint;
  expires bigint;
  time_limit bigint;
begin
${checks(s, names)}
  now_ms := (select greatest(clock, floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from ${s}.store);
  ready := coalesce(${s}.enqueue_instant(o -> 'runAt', who || ': runAt'), now_ms + ${s}.enqueue_duration(coalesce(o -> 'delay', '0'), who || ': delay', 0));
  expires := ${s}.enqueue_instant(o -> 'expiresAt', who || ': expiresAt');
  if o ? 'expiresIn' then
    expires := greatest(ready, now_ms) + ${s}.enqueue_duration(o -> 'expiresIn', who || ': expiresIn', 0);
  end if;
  field := replace(gen_random_uuid()::text, '-', '');
  identity := lpad(to_hex(now_ms), 12, '0');
  identity := left(identity, 8) || '-' || substr(identity, 9) || '-7' || substr(field, 1, 3) || '-' || substr('89ab', 1 + get_byte(decode(substr(field, 4, 2), 'hex'), 0) % 4, 1) || substr(field, 6, 3) || '-' || right(field, 12);
  for attempt in 1 .. 10 loop
    insert into ${s}.live (id, task_name, queue, execution, execution_profile, priority, input, policy, created_at, queued_at, ready_at, expires_at, metadata, tags, description, key, timeout, seq)
    values (identity, task, ${s}.enqueue_name(coalesce(o -> 'queue', '"default"'), who || ': queue'), 'local',
      case when o ? 'executionProfile' then ${s}.enqueue_name(o -> 'executionProfile', who || ': executionProfile') end,
      ${s}.enqueue_number(coalesce(o -> 'priority', '0'), who || ': priority', -1000, 1000, false)::integer, input::text,
      format('[%s,%s,%s,%s]', ${s}.enqueue_number(coalesce(o -> 'retries', '0'), who || ': retries', 0, 1000, false), ${s}.enqueue_backoff(o -> 'backoff', who || ': backoff'),
        coalesce(time_limit::text, 'null'), case when o -> 'requeueOnShutdown' = 'false' then 0 else 1 end),
      now_ms, now_ms, ready, expires, (o -> 'metadata')::text, nullif(o -> 'tags', '[]')::text,
      case when o ? 'description' then ${s}.enqueue_text(o -> 'description', who || ': description', 1000) end,
      unique_key, time_limit, nextval('${s}.batches') * 1000000 + 1)
    on conflict do nothing;
    if found then
      if ready <= now_ms then
        perform pg_notify('sidereal:${namespace}', '{"work":true}');
      end if;
      return identity;
    end if;
    select l.id into holder from ${s}.live l where l.key = unique_key;
    if found then
      return holder;
    end if;
  end loop;
  raise exception '%: its key changed hands too often', who using errcode = '40001';
end $$`;
}

/** What is looked at before anything is computed. */
function checks(s: string, names: readonly string[]): string {
  const allowed = names.map((option) => `'${option}'`).join(", ");
  const exclusive = [
    ["delay", "runAt"],
    ["expiresIn", "expiresAt"],
    ["key", "uniqueBy"],
  ].map(
    ([one, other]) => `  if o ?& array['${one}', '${other}'] then
    raise exception '%: ${one} and ${other} exclude each other', who using errcode = '22023';
  end if;`,
  );
  return `  perform ${s}.enqueue_name(to_jsonb(task), 'the task''s name');
  if octet_length(input::text) > 1048576 then
    raise exception '%: input has % bytes of JSON, more than 1,048,576', who, octet_length(input::text) using errcode = '22023';
  end if;
  if jsonb_typeof(options) not in ('object', 'null') then
    perform ${s}.enqueue_refuse(who || ': options', options, 'an object');
  end if;
  if jsonb_typeof(options) = 'object' then
    select coalesce(jsonb_object_agg(e.key, e.value), '{}') into o from jsonb_each(options) e where jsonb_typeof(e.value) <> 'null';
  end if;
  select e.key into field from jsonb_each(o) e where e.key not in (${allowed}) limit 1;
  if found then
    raise exception '%: there is no option "%"', who, left(field, 80) using errcode = '22023';
  end if;
${exclusive.join("\n")}
  if o ? 'uniqueUntil' and not o ?| array['key', 'uniqueBy'] then
    raise exception '%: uniqueUntil needs key or uniqueBy', who using errcode = '22023';
  end if;
  if o ? 'uniqueUntil' and o -> 'uniqueUntil' <> '"terminal"' then
    perform ${s}.enqueue_refuse(who || ': uniqueUntil', o -> 'uniqueUntil', '"terminal", the only one in SQL');
  end if;
  if o ? 'uniqueBy' and o -> 'uniqueBy' <> '"task"' then
    perform ${s}.enqueue_refuse(who || ': uniqueBy', o -> 'uniqueBy', '"task", the only one in SQL');
  end if;
  if o ? 'executionBackend' and o -> 'executionBackend' <> '"local"' then
    perform ${s}.enqueue_refuse(who || ': executionBackend', o -> 'executionBackend', '"local", the only one in SQL');
  end if;
  if o ? 'requeueOnShutdown' and jsonb_typeof(o -> 'requeueOnShutdown') <> 'boolean' then
    perform ${s}.enqueue_refuse(who || ': requeueOnShutdown', o -> 'requeueOnShutdown', 'true or false');
  end if;
  if o ? 'metadata' and (jsonb_typeof(o -> 'metadata') <> 'object' or char_length((o -> 'metadata')::text) > 65536) then
    perform ${s}.enqueue_refuse(who || ': metadata', o -> 'metadata', 'an object of at most 65,536 characters of JSON');
  end if;
  if o ? 'tags' then
    if jsonb_typeof(o -> 'tags') <> 'array' then
      perform ${s}.enqueue_refuse(who || ': tags', o -> 'tags', 'up to 20 texts of 1 to 200 characters');
    end if;
    if jsonb_array_length(o -> 'tags') > 20 then
      perform ${s}.enqueue_refuse(who || ': tags', o -> 'tags', 'up to 20 texts of 1 to 200 characters');
    end if;
    perform ${s}.enqueue_text(e.value, who || ': tags', 200) from jsonb_array_elements(o -> 'tags') e;
  end if;
  if o ? 'timeout' then
    time_limit := ${s}.enqueue_duration(o -> 'timeout', who || ': timeout', 1);
  end if;
  unique_key := case when o ? 'key' then ${s}.enqueue_text(o -> 'key', who || ': key', 500) when o ? 'uniqueBy' then 'task:' || task end;`;
}
