import Testing

/// The program itself, in a process of its own, over real sockets.
///
/// One test after the other: each has the machine to itself, so "at once" can be told from "late".
@Suite(.serialized) struct EndToEndTests {}
