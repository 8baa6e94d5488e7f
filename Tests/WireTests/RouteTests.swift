import Testing

@testable import DiscoveryWire

@Suite struct RouteTests {
    @Test(arguments: Route.allCases)
    func `every route is found by its path`(route: Route) {
        #expect(Route.find(path: bytes("/discovery/" + route.name).span) == route)
        #expect(Route.find(path: bytes(route.path).span) == route)
    }

    @Test func `writes and exchanges are POST, reads are GET`() {
        #expect(Route.allCases.filter(\.isPost) == [.register, .renew, .cancel, .set, .exchange])
    }

    @Test(arguments: [
        ("//discovery///renew", Route.renew), ("/discovery/./renew", .renew),
        ("/x/../discovery/fetch/all", .fetchAll), ("/discovery/renew/x/..", .renew),
        ("/discovery%2Frenew", .renew), ("/%64iscovery/poll", .poll), ("discovery/poll", .poll),
        ("/../../discovery/poll", .poll),
    ])
    func `a path is cleaned as the reference cleans it`(path: String, route: Route) {
        #expect(Route.find(path: bytes(path).span) == route)
    }

    @Test(arguments: [
        "", "/", "/discovery", "/discovery/", "/discovery/renew/", "/discovery/renew/.",
        "/discovery/renews", "/discovery/Renew", "/discovery/fetch/", "/discovery/fetch/all/",
        "/Discovery/renew", "/discovery/ren%zzew", "/discovery/renew%00", "/discovery/renew?x",
        "/discovery/%2", "/discovery/../renew", "%", "/..", "/discovery/renew+",
    ])
    func `what is no route is none`(path: String) {
        #expect(Route.find(path: bytes(path).span) == nil)
    }
}
