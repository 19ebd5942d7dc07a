"use strict";
/**
 * The public contract, taskqueue.v1, served by one Node process that keeps everything in memory.
 *
 *   node server.js --listen 127.0.0.1:50071 --slots 12
 *
 * Once it serves it writes "serving on port PORT"; port 0 takes one that is free. SIGTERM and
 * SIGINT stop it: it refuses new jobs, lets running ones end within five seconds, and exits with 0.
 */
const path = require("node:path");
const { parseArgs } = require("node:util");
const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");
const { ReflectionService } = require("@grpc/reflection");
const { HealthImplementation, protoPath: HEALTH } = require("grpc-health-check");
const { Refused, statusFor } = require("./errors");
const { TaskQueue } = require("./queue");

const SERVICE = "taskqueue.v1.TaskQueueService";
const CONTRACT = "taskqueue/v1/task_queue_service.proto";
const PROTO = path.join(__dirname, "..", "..", "proto");

/** Return a method of the service: what `serve` answers, or its error as a rich status. */
function method(serve) {
  return (call, callback) => {
    try {
      if (call.getDeadline() <= Date.now()) {
        const message = "the call arrived after its deadline and was not begun";
        throw new Refused(grpc.status.DEADLINE_EXCEEDED, "DEADLINE_ALREADY_PAST", message);
      }
      callback(null, serve(call.request));
    } catch (error) {
      callback(statusFor(error));
    }
  };
}

function serve(queue, health) {
  const options = { includeDirs: [PROTO], keepCase: true, longs: Number, defaults: true };
  const contract = protoLoader.loadSync([CONTRACT, HEALTH], options);
  const server = new grpc.Server();
  server.addService(contract[SERVICE], {
    SubmitJob: method((request) => queue.submit(request)),
    GetJobStatus: method((request) => queue.status(request)),
    GetJobResult: method((request) => queue.result(request)),
    CancelJob: method((request) => queue.cancel(request)),
    ListJobs: method((request) => queue.list(request)),
  });
  health.addToServer(server);
  new ReflectionService(contract).addToServer(server);
  return server;
}

function main() {
  const { values } = parseArgs({
    options: {
      listen: { type: "string", default: "127.0.0.1:50071" },
      slots: { type: "string", default: "12" },
    },
  });
  const slots = Number(values.slots);
  if (!Number.isInteger(slots) || slots < 1) throw new Error(`--slots: ${values.slots} is no number`);
  const queue = new TaskQueue(slots);
  const health = new HealthImplementation({ "": "SERVING", [SERVICE]: "SERVING" });
  const server = serve(queue, health);
  server.bindAsync(values.listen, grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(`serving on port ${port}`);
  });
  const stop = async () => {
    for (const service of ["", SERVICE]) health.setStatus(service, "NOT_SERVING");
    await queue.stop();
    server.tryShutdown(() => process.exit(0));
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

main();
