import Testing

extension EndToEndTests {
    /// Faults of this node that these tests found, each named after what was wrong.
    @Suite struct FaultTests {
        @Test func `zones that look alike to people do not end the node`() throws {
            let node = try NodeProcess()
            // One letter, and a letter with an accent behind it.
            for zone in ["caf\u{E9}", "cafe\u{301}"] {
                #expect(try node.register("a", [("zone", zone)]).code == 0)
            }
            let zones = try node.metrics().samples.filter { $0.name == "discovery_instances" }
            #expect(zones.count == 6)
            #expect(node.stop() == .exited(0))
        }
    }
}
