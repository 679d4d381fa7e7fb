// What a program that serves asks of its process: no core dumps, enough descriptors.
#pragma once

namespace boxgram::tools {

/// A core dump would write the keys that are never to be written.
void keep_memory_private();

/// Sockets for all connections that the limits allow, where the usual soft limit of 1,024 would be
/// reached by TCP alone and take the resolvers' sockets too. A lower hard limit stays, with a
/// warning.
void raise_descriptor_limit();

}  // namespace boxgram::tools
