"""The server: models behind HTTP and gRPC, in one process that batches, refuses, reloads and drains.

limits, refusal        how much is taken at once, and how it is said that something is not
messages               requests and answers as values, the same for every door
offers                 from a product as it was sent to a row for the model
answerer               from rows to predictions, to the bit those of `Categorizer.predict`
batching               one bounded queue in front of one thread that predicts
drift                  what is usual for a model, beside what it is asked
models                 models by name: loaded, warmed, swapped while they are asked
service                what the doors call; knows no transport
tracing                where the time of a request went, for OpenTelemetry
http, rpc, oip         the doors
tensors                the bytes of tensors, for both doors
server                 the process: sockets, signals, draining
"""
