// Mails, in JavaScript: they are printed. Nothing here knows of workflows.
import path from "node:path";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const proto = path.join(import.meta.dirname, "../proto");
const { mail } = grpc.loadPackageDefinition(
  loader.loadSync("mail/v1/mail.proto", { includeDirs: [proto], keepCase: true }),
);
const sent = new Set();

const server = new grpc.Server();
server.addService(mail.v1.MailService.service, {
  Send: ({ request: { mail_id, to, text } }, answer) => {
    if (!sent.has(mail_id)) console.log(`to ${to}: ${text}`);
    sent.add(mail_id);
    answer(null, {});
  },
});
const address = `127.0.0.1:${process.env.PORT}`;
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log(`mail listens on ${address}`);
});
