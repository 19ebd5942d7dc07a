"use strict";
/**
 * The task queue in memory: its methods take the messages of the contract and return its answers.
 *
 * One thread runs it all, so every method is atomic, and so is every step of a job.
 */
const crypto = require("node:crypto");
const grpc = require("@grpc/grpc-js");
const { Refused, invalid } = require("./errors");
const { KINDS, JobFailed, Unreadable } = require("./kinds");

const [QUEUED, RUNNING, DONE, FAILED, CANCELED] = [1, 2, 3, 4, 5];
const STATES = ["", "QUEUED", "RUNNING", "DONE", "FAILED", "CANCELED"];
const MAX_PAYLOAD_BYTES = 1 << 20;
const MAX_REQUEST_ID_BYTES = 128;
const [PAGE, MAX_PAGE] = [50, 1000];
const MAX_DURATION = 315_576_000_000;
// What Node's timers cannot take is no limit.
const MAX_TIMER_MS = 2 ** 31 - 1;
const JOB_ID = /^[0-9a-v]{16}$/;
// So long may running jobs go on once the process is asked to stop, in milliseconds.
const STOP_GRACE_MS = 5000;

// Distinguishes the ids of two starts of the server.
const BOOT = BigInt(crypto.randomInt(1 << 28));

class TaskQueue {
  constructor(slots) {
    this.slots = slots;
    this.jobs = new Map(); // by id, in the order of acceptance
    this.ids = []; // the same ids, for pages
    this.requests = new Map(); // the digest and the job's id of each request id
    this.queued = new Set(); // first in, first out, and a cancel takes one out of the middle
    this.running = new Set();
    this.stopping = false;
    this.last = 0n;
  }

  submit({ job, request_id }) {
    if (this.stopping) {
      const message = "the server stops and begins nothing new";
      throw new Refused(grpc.status.UNAVAILABLE, "STOPPING", message);
    }
    const spec = readSpec(job, request_id);
    const digest = request_id && digestOf(spec);
    const known = request_id && this.requests.get(request_id);
    if (known && known.digest !== digest) {
      const code = grpc.status.FAILED_PRECONDITION;
      const message = `request_id ${JSON.stringify(request_id)} was used before for another job`;
      throw new Refused(code, "REQUEST_ID_REUSED", message, { request_id });
    }
    if (known) return { job_id: known.id };
    const created = this.#now();
    // 52 bits of time and 28 of this process, in an alphabet that sorts like the bits.
    const id = ((created << 28n) | BOOT).toString(32).padStart(16, "0");
    const added = { id, spec, state: QUEUED, attempt: 0, created, worker: "", asked: false };
    this.jobs.set(id, added);
    this.ids.push(id);
    if (request_id) this.requests.set(request_id, { digest, id });
    this.queued.add(added);
    this.#dispatch();
    return { job_id: id };
  }

  status({ job_id }) {
    return { status: statusOf(this.#find(job_id)) };
  }

  result({ job_id }) {
    const job = this.#find(job_id);
    if (job.state < DONE) {
      const [state, code] = [STATES[job.state], grpc.status.FAILED_PRECONDITION];
      const message = `job ${job_id} is ${state}, not finished`;
      throw new Refused(code, "JOB_NOT_FINISHED", message, { job_id, state });
    }
    return { state: job.state, output: job.output, failure: job.failure };
  }

  cancel({ job_id }) {
    const job = this.#find(job_id);
    if (job.state < DONE) job.asked = true;
    if (job.state === QUEUED) {
      this.queued.delete(job);
      this.#end(job, CANCELED);
    } else if (job.state === RUNNING) {
      job.stop.abort();
    }
    return { status: statusOf(job) };
  }

  /** Reads from the newest job on: a page takes as long as its filters leave out jobs. */
  list({ state, kind, page_size, page_token }) {
    if (!Object.hasOwn(STATES, state)) throw invalid("state", `${state} is no job state`);
    if (page_size < 0) throw invalid("page_size", "must not be negative");
    const limit = Math.min(page_size, MAX_PAGE) || PAGE;
    const before = page_token ? readToken(page_token, state, kind) : "";
    const found = [];
    for (let at = this.#countBelow(before) - 1; at >= 0 && found.length <= limit; at--) {
      const job = this.jobs.get(this.ids[at]);
      if ((!state || job.state === state) && (!kind || job.spec.kind === kind)) found.push(job);
    }
    const jobs = found.slice(0, limit);
    const more = found.length > limit;
    return {
      jobs: jobs.map(statusOf),
      next_page_token: more ? writeToken(state, kind, jobs.at(-1).id) : "",
    };
  }

  /** Begin nothing new; resolves once no job runs. */
  async stop() {
    this.stopping = true;
    const grace = setTimeout(() => this.running.forEach((job) => job.stop.abort()), STOP_GRACE_MS);
    while (this.running.size) await Promise.race([...this.running].map((job) => job.ended));
    clearTimeout(grace);
  }

  #find(job_id) {
    if (!JOB_ID.test(job_id)) {
      throw invalid("job_id", "is not 16 characters of 0-9 and a-v", "MALFORMED_JOB_ID");
    }
    const job = this.jobs.get(job_id);
    if (job) return job;
    const message = `there is no job ${job_id}`;
    throw new Refused(grpc.status.NOT_FOUND, "JOB_NOT_FOUND", message, { job_id });
  }

  /** Microseconds since the epoch, never the same twice: ids sort by it. */
  #now() {
    const now = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000));
    this.last = now > this.last ? now : this.last + 1n;
    return this.last;
  }

  #dispatch() {
    while (!this.stopping && this.running.size < this.slots && this.queued.size) {
      const [job] = this.queued;
      this.queued.delete(job);
      this.running.add(job);
      Object.assign(job, { state: RUNNING, attempt: 1, started: this.#now(), worker: "node" });
      job.stop = new AbortController();
      job.ended = this.#run(job);
    }
  }

  async #run(job) {
    const { kind, params, timeout } = job.spec;
    const signals = [job.stop.signal];
    const limit = timeout === null ? MAX_TIMER_MS : Math.ceil(timeout / 1000);
    if (limit < MAX_TIMER_MS) signals.push(AbortSignal.timeout(limit));
    let outcome;
    try {
      const output = await KINDS[kind].run(params, AbortSignal.any(signals));
      outcome = [DONE, { output }];
    } catch (error) {
      outcome = [FAILED, { failure: failureOf(error, timeout) }];
      if (job.stop.signal.aborted) outcome = [CANCELED];
    }
    this.running.delete(job);
    this.#end(job, ...outcome);
    this.#dispatch();
  }

  #end(job, state, more = {}) {
    Object.assign(job, { state, finished: this.#now() }, more);
    job.spec.params = null; // what a job that has ended still needs is little
  }

  /** How many ids are lower than this one; all of them if it is empty. */
  #countBelow(id) {
    let [low, high] = [0, this.ids.length];
    while (id && low < high) {
      const middle = (low + high) >> 1;
      if (this.ids[middle] < id) low = middle + 1;
      else high = middle;
    }
    return high;
  }
}

function readSpec(job, request_id) {
  const { kind, payload, execution_timeout } = job ?? { kind: "", payload: Buffer.alloc(0) };
  const timeout = execution_timeout ? readDuration(execution_timeout) : null;
  if (!kind) throw invalid("job.kind", "must not be empty");
  if (payload.length > MAX_PAYLOAD_BYTES) {
    throw invalid("job.payload", `${payload.length} bytes are too many`, "PAYLOAD_TOO_LARGE");
  }
  if (timeout !== null && timeout <= 0) throw invalid("job.execution_timeout", "must be positive");
  if (Buffer.byteLength(request_id) > MAX_REQUEST_ID_BYTES) {
    throw invalid("request_id", `is longer than ${MAX_REQUEST_ID_BYTES} bytes`);
  }
  if (!Object.hasOwn(KINDS, kind)) {
    const known = Object.keys(KINDS).join(", ");
    throw invalid("job.kind", `${kind.slice(0, 64)} is none of ${known}`, "UNKNOWN_KIND");
  }
  try {
    return { kind, timeout, params: KINDS[kind].read(payload), hash: hashOf(payload) };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    throw invalid("job.payload", `${kind} cannot read it: ${error.message}`, "UNREADABLE_PAYLOAD");
  }
}

/** Return microseconds, rounded up so that a positive duration stays positive. */
function readDuration({ seconds, nanos }) {
  const [whole, part] = [Math.abs(seconds), Math.abs(nanos)];
  const inRange = part < 1e9 && whole <= MAX_DURATION && !(whole === MAX_DURATION && part);
  if (!inRange || seconds * nanos < 0) {
    throw invalid("job.execution_timeout", `${seconds} s and ${nanos} ns are no duration`);
  }
  return seconds * 1e6 + Math.ceil(nanos / 1000);
}

const hashOf = (bytes) => crypto.createHash("sha256").update(bytes).digest("hex");
const digestOf = ({ kind, timeout, hash }) => JSON.stringify([kind, timeout, hash]);

function failureOf(error, timeout) {
  if (error instanceof JobFailed) return { reason: error.reason, message: error.message };
  if (error.name === "AbortError" || error.name === "TimeoutError") {
    return { reason: "EXECUTION_TIMEOUT", message: `stopped after ${timeout / 1e6} s` };
  }
  return { reason: "HANDLER_ERROR", message: `${error.name}: ${error.message}` };
}

function statusOf(job) {
  return {
    job_id: job.id,
    kind: job.spec.kind,
    state: job.state,
    attempt: job.attempt,
    create_time: timestamp(job.created),
    start_time: timestamp(job.started),
    finish_time: timestamp(job.finished),
    worker: job.worker,
    failure: job.failure,
    cancel_requested: job.asked,
  };
}

const timestamp = (micros) =>
  micros && { seconds: Number(micros / 1_000_000n), nanos: Number(micros % 1_000_000n) * 1000 };

const writeToken = (...parts) => Buffer.from(JSON.stringify(parts)).toString("base64url");

function readToken(token, ...filters) {
  let [state, kind, id] = [];
  try {
    [state, kind, id] = JSON.parse(Buffer.from(token, "base64url"));
  } catch {} // no token of ours: refused below
  if (id === undefined || !JOB_ID.test(id) || token !== writeToken(state, kind, id)) {
    throw invalid("page_token", "is damaged or no token of this service", "INVALID_PAGE_TOKEN");
  }
  if (state !== filters[0] || kind !== filters[1]) {
    throw invalid("page_token", "belongs to a query with other filters", "INVALID_PAGE_TOKEN");
  }
  return id;
}

module.exports = { TaskQueue };
