"use strict";
/**
 * The kinds of job, as `common/handlers` has them: `read` takes the payload apart, or throws an
 * `Unreadable`; `run` returns the output as a Buffer and stops early when its signal is aborted.
 *
 * What a seed draws is not what Python's generator would draw from it.
 */
const { setTimeout: sleep, setImmediate: turn } = require("node:timers/promises");

const MAX_SEED = Number.MAX_SAFE_INTEGER;
const WORD = /[\p{L}\p{N}_]+(?:['’][\p{L}\p{N}_]+)*/gu;
const REASON = /^[A-Z][A-Z0-9_]{0,63}$/;
// CPU jobs share the one thread with everything else: so long may one of them keep it, in ms.
const SLICE_MS = 2;

/** A payload that the kind cannot read. */
class Unreadable extends Error {}

/** How a job fails with a reason of its own. */
class JobFailed extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

const number = (fallback, low, high) => ({
  fallback,
  fits: (value) => typeof value === "number" && low <= value && value <= high,
  wants: `a number from ${low} to ${high}`,
});
const integer = (fallback, low, high) => ({
  fallback,
  fits: (value) =>
    (fallback === null && value === null) ||
    (Number.isInteger(value) && low <= value && value <= high),
  wants: `a whole number from ${low} to ${high}`,
});
const text = (fallback, longest) => ({
  fallback,
  fits: (value) => typeof value === "string" && [...value].length <= longest,
  wants: `a string of up to ${longest} characters`,
});

/** Return a reader of JSON objects with these parameters; the empty payload gives the defaults. */
function parameters(shape) {
  return (payload) => {
    const given = payload.length ? readObject(readText(payload)) : {};
    const read = Object.fromEntries(Object.entries(shape).map(([k, each]) => [k, each.fallback]));
    for (const [name, value] of Object.entries(given)) {
      if (!Object.hasOwn(shape, name)) throw new Unreadable(`no parameter ${name.slice(0, 40)}`);
      if (!shape[name].fits(value)) throw new Unreadable(`${name} must be ${shape[name].wants}`);
      read[name] = value;
    }
    return read;
  };
}

function readText(payload) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
  } catch {
    throw new Unreadable("not UTF-8");
  }
}

function readObject(json) {
  let value;
  try {
    value = JSON.parse(json);
  } catch {
    throw new Unreadable("not JSON"); // also what is nested too deeply
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Unreadable("must be a JSON object such as {}");
  }
  // JSON.parse keeps the last of two equal keys. Parameters are flat, so every string that a colon
  // follows is a key of this object; nested values are refused by their parameter.
  const keys = [...json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/gs)].filter((match) => match[1]);
  const nested = Object.values(value).some((each) => each !== null && typeof each === "object");
  if (!nested && keys.length !== Object.keys(value).length) {
    throw new Unreadable("a parameter is given twice");
  }
  return value;
}

/** A small generator of numbers from 0 to 1 (mulberry32); without a seed they differ each time. */
function generator(seed) {
  if (seed === null) return Math.random;
  let state = seed % 2 ** 32;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const json = (value) => Buffer.from(JSON.stringify(value));
const rounded = (value) => Math.round(value * 1000) / 1000;

async function runSleep(params, signal) {
  const random = generator(params.seed);
  const milliseconds = params.milliseconds * (1 + params.jitter * (2 * random() - 1));
  const fails = random() < params.failure_probability;
  await sleep(milliseconds, undefined, { signal });
  if (fails) throw new JobFailed("SIMULATED_FAILURE", `failed after ${milliseconds.toFixed(3)} ms`);
  return json({ milliseconds: rounded(milliseconds) });
}

async function runSpin(params, signal) {
  for (let left = params.milliseconds; left > 0; ) {
    const begun = performance.now();
    while (performance.now() - begun < Math.min(left, SLICE_MS));
    left -= performance.now() - begun;
    await turn();
    signal.throwIfAborted();
  }
  return json({ milliseconds: params.milliseconds });
}

async function runFail(params) {
  throw new JobFailed(params.reason, params.message);
}

function readFailure(payload) {
  const params = parameters({
    reason: text("FAILURE_REQUESTED", 64),
    message: text("the job was asked to fail", 1000),
  })(payload);
  if (!REASON.test(params.reason)) throw new Unreadable("reason must be upper snake case");
  return params;
}

async function countWords(input) {
  const counts = new Map();
  const words = input.toLowerCase().match(WORD) ?? [];
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const ranked = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const top = ranked.slice(0, 100).map(([word, count]) => ({ word, count }));
  return json({ words: words.length, distinct: counts.size, top });
}

async function measureText(input) {
  const lengths = (input.match(WORD) ?? []).map((word) => [...word].length);
  const withWords = (separator) =>
    input.split(separator).filter((part) => part.search(WORD) >= 0).length;
  const total = lengths.reduce((sum, length) => sum + length, 0);
  return json({
    bytes: Buffer.byteLength(input),
    characters: [...input].length,
    lines: input ? input.replace(/\n$/, "").split("\n").length : 0,
    paragraphs: withWords(/\n\s*\n/),
    sentences: withWords(/[.!?…]+(?:\s|$)/),
    words: lengths.length,
    longest_word: lengths.reduce((longest, length) => Math.max(longest, length), 0),
    mean_word_length: lengths.length ? rounded(total / lengths.length) : 0,
  });
}

async function multiply({ size, seed }, signal) {
  const random = generator(seed);
  const draw = () => Array.from({ length: size }, () => Math.floor(random() * 19) - 9);
  const rows = Array.from({ length: size }, draw);
  const columns = Array.from({ length: size }, draw);
  let trace = 0;
  for (let at = 0; at < size; at++) {
    const product = columns.map((column) =>
      column.reduce((sum, value, place) => sum + value * rows[at][place], 0),
    );
    trace += product[at];
    await turn();
    signal.throwIfAborted();
  }
  return json({ size, seed, trace });
}

const KINDS = {
  noop: { read: () => null, run: async () => Buffer.alloc(0) },
  sleep: {
    read: parameters({
      milliseconds: number(100, 0, 600_000),
      jitter: number(0, 0, 1),
      failure_probability: number(0, 0, 1),
      seed: integer(null, 0, MAX_SEED),
    }),
    run: runSleep,
  },
  spin: { read: parameters({ milliseconds: number(100, 0, 600_000) }), run: runSpin },
  fail: { read: readFailure, run: runFail },
  word_count: { read: readText, run: countWords },
  text_stats: { read: readText, run: measureText },
  matrix_multiply: {
    read: parameters({ size: integer(64, 1, 512), seed: integer(0, 0, MAX_SEED) }),
    run: multiply,
  },
};

module.exports = { KINDS, JobFailed, Unreadable };
