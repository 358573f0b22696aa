// Invokes the function by the AWS SDK for JavaScript, with the arguments that come as JSON on the command line, and prints
// what a program would get of the answer or of the exception.

import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { InvokeCommand, LambdaClient } = require("@aws-sdk/client-lambda");

const [endpoint, { payload, ...more }] = [process.argv[2], JSON.parse(process.argv[3])];
const client = new LambdaClient({ endpoint, region: "us-east-1", maxAttempts: 1 });

function shown({ $metadata, ...rest }) {
  return { ...rest, status: $metadata.httpStatusCode, requestId: $metadata.requestId };
}

try {
  const answer = await client.send(new InvokeCommand({ FunctionName: "verify", Payload: payload, ...more }));
  const { Payload, LogResult, ...rest } = shown(answer);
  const text = Payload && Buffer.from(Payload).toString();
  const log = LogResult && Buffer.from(LogResult, "base64").toString();
  console.log(JSON.stringify({ ...rest, payload: text, log }));
} catch (error) {
  const { name, message, $metadata, $fault } = error;
  if (!$metadata) throw error;
  console.log(JSON.stringify({ name, message, fault: $fault, Type: error.Type, ...shown({ $metadata }) }));
}
