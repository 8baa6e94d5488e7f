import DiscoveryCore
import Testing

/// A poll without news is held for its whole time, whatever else there is to do.
@Suite struct HoldTests {
    @Test(arguments: [0, 15, 25, 60, 3600])
    func `a poll is held for its whole time, however quiet the node was before`(seconds: Int64) {
        let test = TestNode()
        test.wait(seconds * Duration.second)
        let id = test.poll([("a.b", 0)])
        test.wait(29_900 * Duration.millisecond)
        #expect(test.take(id) == nil)
        test.wait(200 * Duration.millisecond)
        #expect(test.take(id)?.code == -304)
    }

    @Test func `a poll is held for its whole time while an older one waits`() {
        let test = TestNode()
        let old = test.poll([("a.b", 0)])
        test.wait(25 * Duration.second)
        let new = test.poll([("a.b", 0)])
        test.wait(29_900 * Duration.millisecond)
        #expect(test.take(old)?.code == -304)
        #expect(test.take(new) == nil)
        test.wait(200 * Duration.millisecond)
        #expect(test.take(new)?.code == -304)
    }

    @Test func `a poll is held for its whole time if it finds the end of an older one overdue`() {
        let test = TestNode()
        let old = test.poll([("a.b", 0)])
        // Nobody calls the node for so long that the new deadline is beyond the wheel's horizon.
        test.now.monotonic += 58 * Duration.second
        let new = test.poll([("a.b", 0)])
        #expect(test.take(old)?.code == -304)
        test.wait(29_900 * Duration.millisecond)
        #expect(test.take(new) == nil)
        test.wait(200 * Duration.millisecond)
        #expect(test.take(new)?.code == -304)
    }
}
