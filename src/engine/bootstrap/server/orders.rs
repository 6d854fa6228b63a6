//! What services decided.

use super::*;
use crate::engine::bootstrap::configuration::Configuration;

impl BootstrapServer {
    /// Carries out what services say about a session.
    pub fn on_directive(&mut self, directive: Directive) {
        let Directive { number, what } = directive;
        match what {
            Order::Configure(configuration) => self.configure(number, configuration),
            Order::Refuse(refusal) => self.refuse_waiting(number, refusal),
            Order::Supersede => self.supersede(number),
        }
    }

    fn supersede(&mut self, number: u32) {
        let Some(entry) = self.table.get_mut(number) else {
            return;
        };
        match entry.state {
            State::Running(_) => self.run(number, Session::supersede),
            State::Pack { .. } => self.over(number, End::Superseded),
            // It is the newer one, or will be refused by itself.
            State::Waiting { .. } => {}
        }
    }

    pub(super) fn refuse_waiting(&mut self, number: u32, refusal: Refusal) {
        let Some((request, from)) = self.waiting(number) else {
            return;
        };
        self.table.remove(number);
        if let Ok(view) = MessageView::parse(&request) {
            self.refuse(&view, from, refusal);
        }
    }

    fn configure(&mut self, number: u32, configuration: Arc<Configuration>) {
        let Some((request, from)) = self.waiting(number) else {
            return;
        };
        let Ok(view) = MessageView::parse(&request) else {
            return;
        };
        let Some(entry) = self.table.get_mut(number) else {
            return;
        };
        let State::Waiting {
            is_pack, format, ..
        } = entry.state
        else {
            return;
        };
        let endpoint = Arc::clone(&entry.endpoint);
        if let Some(before) = self.table.run(&endpoint, number) {
            self.supersede(before);
        }
        if is_pack {
            return self.begin_pack(number, &view, from, &configuration, format);
        }
        self.reply(&view, from, &Reply::code(Code::CHANGED));
        let mut turn = Turn {
            now: self.now.tick,
            rng: &mut self.rng,
            transmission: &self.shared.config.transmission,
            arena: &mut self.arena,
            out: &mut self.out,
        };
        let session = Session::begin(number, format, configuration, &mut turn);
        let wakes = session.deadline();
        if let Some(entry) = self.table.get_mut(number) {
            entry.state = State::Running(Box::new(session));
        }
        self.table.wake_at(number, wakes);
        self.carry_out(number, from, &endpoint);
    }

    fn begin_pack(
        &mut self,
        number: u32,
        view: &MessageView<'_>,
        from: Caller,
        configuration: &Configuration,
        format: u16,
    ) {
        match encode_pack(configuration, format) {
            Ok(body) => {
                if let Some(entry) = self.table.get_mut(number) {
                    entry.state = State::Pack { body, format };
                }
                let wakes = self.now.tick.plus_millis(PACK_MILLIS);
                self.table.wake_at(number, wakes);
                self.send_pack(number, view, from);
            }
            Err(error) => {
                let text = error.to_string();
                self.reply(view, from, &Reply::refusal(Code::NOT_ACCEPTABLE, &text));
                self.over(number, End::Unwritable);
            }
        }
    }

    /// The request of a device that waits for its answer, and where it came from.
    fn waiting(&mut self, number: u32) -> Option<(Box<[u8]>, Caller)> {
        let entry = self.table.get_mut(number)?;
        let State::Waiting { request, .. } = &entry.state else {
            return None;
        };
        Some((request.clone(), entry.caller))
    }
}
