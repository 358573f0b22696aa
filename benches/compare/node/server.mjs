// A typical implementation in Node: `node server.mjs PORT STS_URL`. Each request has its own client, because it has
// its own credentials; all clients share the connections to STS.
import http from "node:http";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const [port, endpoint] = process.argv.slice(2);
const requestHandler = new NodeHttpHandler({ httpAgent: new http.Agent({ keepAlive: true, maxSockets: 256 }) });

async function verify(body) {
  const { stsAccessKey, stsSecretKey, stsSessionToken } = JSON.parse(body);
  const credentials = { accessKeyId: stsAccessKey, secretAccessKey: stsSecretKey, sessionToken: stsSessionToken };
  const client = new STSClient({ region: "us-east-1", endpoint, credentials, requestHandler });
  try {
    const { UserId, Account, Arn, $metadata } = await client.send(new GetCallerIdentityCommand({}));
    const ResponseMetadata = {
      RequestId: $metadata.requestId, HTTPStatusCode: $metadata.httpStatusCode, RetryAttempts: $metadata.attempts - 1,
    };
    return [200, { aws_res: { UserId, Account, Arn, ResponseMetadata } }];
  } catch (error) {
    return [400, { exception: "ClientError", error_code: error.name, error_message: error.message }];
  }
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", async () => {
    const [status, body] = await verify(Buffer.concat(parts).toString());
    response.writeHead(status, { "Content-Type": "application/json", "Access-Control-Allow-Origin": "*" });
    response.end(JSON.stringify(body));
  });
});
server.listen(Number(port), "127.0.0.1");
