internal import CLibevent
internal import Glibc

/// Owns one `event_base` and the common timeouts of its connections. Loop thread only.
@safe final class EventBase {
    let pointer: OpaquePointer
    /// Durations with a queue of their own: arming one is O(1) however many are armed. They carry
    /// libevent's mark in the microseconds and stay valid until `close`.
    let idleTimeout: UnsafePointer<timeval>
    let writeTimeout: UnsafePointer<timeval>
    private var isOpen = true

    init(idleSeconds: Int, writeSeconds: Int) throws(LoopError) {
        guard let config = unsafe event_config_new() else { throw .outOfMemory }
        defer { unsafe event_config_free(config) }
        // One thread owns the base, so libevent's locks would be pure overhead.
        unsafe event_config_set_flag(config, Int32(EVENT_BASE_FLAG_NOLOCK.rawValue))
        // evhttp turns reading off, writing on and off, and reading on again for every request. At
        // the end of a turn that is one epoll_ctl instead of four (libevent 2.1.12,
        // epolltable-internal.h, note 2: never none). Its condition holds: no descriptor is dup'ed.
        unsafe event_config_set_flag(
            config, Int32(EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST.rawValue))
        guard let pointer = unsafe event_base_new_with_config(config) else { throw .noBackend }

        guard let idleTimeout = unsafe Self.commonTimeout(pointer, idleSeconds),
            let writeTimeout = unsafe Self.commonTimeout(pointer, writeSeconds)
        else {
            unsafe event_base_free(pointer)
            throw .outOfMemory
        }
        unsafe self.pointer = pointer
        unsafe self.idleTimeout = idleTimeout
        unsafe self.writeTimeout = writeTimeout
    }

    /// Frees the base, after everything that was made on it. Loop thread only; idempotent.
    func close() {
        if !isOpen { return }
        isOpen = false
        unsafe event_base_free(pointer)
    }

    deinit { close() }

    static func commonTimeout(
        _ base: OpaquePointer, _ seconds: Int
    ) -> UnsafePointer<timeval>? {
        var duration = timeval(tv_sec: seconds, tv_usec: 0)
        return unsafe event_base_init_common_timeout(base, &duration)
    }
}

/// One libevent timer. Loop thread only; `cancel` before the base is closed.
@safe final class LoopTimer {
    private let action: () -> Void
    private var event: OpaquePointer?

    init(_ base: EventBase, action: @escaping () -> Void) throws(LoopError) {
        self.action = action
        // Unretained is sound: `close` frees the event, and freed, it can no longer fire.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        guard let event = unsafe event_new(base.pointer, -1, 0, timerFired, context) else {
            throw .outOfMemory
        }
        unsafe self.event = event
    }

    deinit { close() }

    /// Fires once, `nanoseconds` from now; replaces an earlier arming.
    func arm(afterNanoseconds nanoseconds: UInt64) {
        guard let event = unsafe event else { return }
        let microseconds = Int(clamping: nanoseconds / 1000)
        var delay = timeval(tv_sec: microseconds / 1_000_000, tv_usec: microseconds % 1_000_000)
        unsafe event_add(event, &delay)
    }

    func disarm() {
        if let event = unsafe event { unsafe event_del(event) }
    }

    /// Loop thread only, before the base is closed; idempotent.
    func close() {
        if let event = unsafe event { unsafe event_free(event) }
        unsafe event = nil
    }

    fileprivate func fire() { action() }
}

private func timerFired(_: Int32, _: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { preconditionFailure("a timer without its owner") }
    unsafe Unmanaged<LoopTimer>.fromOpaque(context).takeUnretainedValue().fire()
}

/// Nanoseconds of the given clock.
func nanoseconds(of clock: clockid_t) -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
