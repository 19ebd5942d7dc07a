"use strict";
/** Errors as the contract has them: a code, and an ErrorInfo with a reason and the outcome. */
const grpc = require("@grpc/grpc-js");
const protobuf = require("protobufjs");

const RICH = protobuf.parse(
  `syntax = "proto3"; package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }`,
  { keepCase: true },
).root;
const Status = RICH.lookupType("google.rpc.Status");
const ErrorInfo = RICH.lookupType("google.rpc.ErrorInfo");

/** A call is refused. `definite` is whether it had no effect. */
class Refused extends Error {
  constructor(code, reason, message, metadata = {}, definite = true) {
    super(message.slice(0, 1024).toWellFormed()); // grpc-js cannot send half a surrogate pair
    const outcome = definite ? "definite" : "indefinite";
    this.info = { reason, domain: "taskqueue", metadata: { ...metadata, outcome } };
    this.code = code;
  }

  /** Return what grpc-js answers a call with. */
  toStatus() {
    const value = ErrorInfo.encode(this.info).finish();
    const details = [{ type_url: "type.googleapis.com/google.rpc.ErrorInfo", value }];
    const status = Status.encode({ code: this.code, message: this.message, details }).finish();
    const metadata = new grpc.Metadata();
    metadata.set("grpc-status-details-bin", Buffer.from(status));
    return { code: this.code, details: this.message, metadata };
  }
}

/** The error of a field that is wrong. */
const invalid = (field, problem, reason = "INVALID_FIELD") =>
  new Refused(grpc.status.INVALID_ARGUMENT, reason, `${field}: ${problem}`, { field });

/** Return what a call is answered with after `error`: a defect may have had an effect. */
function statusFor(error) {
  if (error instanceof Refused) return error.toStatus();
  console.error(error);
  return new Refused(grpc.status.INTERNAL, "INTERNAL", String(error), {}, false).toStatus();
}

module.exports = { Refused, invalid, statusFor };
