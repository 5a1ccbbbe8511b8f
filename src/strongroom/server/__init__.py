"""The centre: catalog, vault, API, console and the gateway that agents talk to.

A verb is a function: wishes by keyword, one transaction, a value back, a `StrongroomError` when it cannot be.
Deciders (`admit`, `choose_kind`) are pure; the verb around them does the I/O. Reads for people go through `views`.
Verbs may be called from any thread, never from an event loop. `now` is always `clock.now()`; `by` is an `Actor`.
Before any of them, `premises.open_premises(folder)` opens the data folder for this process.

For the people-facing rooms (api, console):

    users.login       log_in(name, password, address, now) -> User
    users.tokens      create_api_token(user_name, token_name, lifetime, by, now) -> str (shown once)
                      require_token(text, address, now) -> Actor; revoke_api_token(text, by, now)
    users.audit       Actor(name, address)
    hosts.activate    create_activation_token(uses, lifetime, by, now, url="") -> str (shown once; uses=None: any)
                      delete_activation_token(token_id, by, now)
    hosts.find        require_host(reference) -> Host             reference: name or id
    hosts.revoke      revoke_host(host, by, now, abort_jobs=backup.abort.abort_jobs_of_host)
    backup.sets       create_set(name, host, content, options, by, now) -> BackupSet
                      require_set(reference) -> BackupSet         reference: name or number
    backup.request    request_backup(backup_set, trigger, now, by, deadline=None) -> Job
    backup.once       start_once(key, call, by, start) -> Job     the same key again gives the same job
    backup.cancel     cancel_job(job_id, by, now) -> Job
    restore.request   request_restore(wishes: RestoreWishes, by, now) -> Job
    restore.browse    list_folder(snapshot, path, after="", limit=1000) -> dict
    upkeep.check      check_vault(read_data, by, now, progress) -> dict; vault_stats() -> dict
    views.*           host(s), backup_set(s), job(s), missed_files, snapshot(s), activation_token(s), user, audit:
                      plain data, JSON names

For the gateway (`message` is the verb's request of `protocol.messages`; the value is its reply):

    hosts.activate      activate(message, now, address="") -> Activated
    hosts.authenticate  authenticate(message, now) -> Authenticated
                        require_agent(access_token, now) -> Host, with each request
    orders              welcome_agent(host, hello, wake, now) -> Link
                        orders_for(link, now) -> list[Order], when woken and with each heartbeat
                        farewell_agent(link, now)
                        `wake` is called from any thread: pass it on. Then ask hosts.presence.is_current(link);
                        a stream whose link is not current (replaced, revoked) must end.
    backup.receive      open_session(host, message, now) -> SessionOpened
                        ask_missing(host, message, now) -> MissingReply
                        receive_parcel(host, parcel, now) -> PutReply
                        checkpoint(host, message, now) -> Committed; commit(host, message, now) -> Committed
                        base_listing(host, message, now) -> Iterator[bytes], the bodies of frames
    restore.fetch       fetch(host, message, now) -> Iterator[bytes | frames.Body], the bodies of frames
    backup.report       take_report(host, message, now) -> ReportReply

For the program (app, cli):

    setup.init          init_server(DataFolder(path), now=, password=None, names=()) -> Initialised
    setup.authority     renew_server_certificate(folder, names, now) -> bool, at each start
    premises            open_premises(folder) -> Premises; premises() -> Premises; close_premises()
    backup.abort        abort_after_server_start(now), once after opening
    schedule.duties     run_duties(stop: threading.Event, holder: str), in a thread of its own
    catalog.connection  catalog_thread(), the context for every other thread that calls verbs and then ends
"""
