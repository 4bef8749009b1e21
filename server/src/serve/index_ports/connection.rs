//! One connection of the reader or the manager, from its first byte to its last.

use std::time::Duration;

use logtank_wire::message::{Message, MessageKind};
use logtank_wire::reply::ExceptionKind;

use super::calls::Answerer;
use super::conversation::Conversation;
use super::ending::End;
use super::remote::Remote;
use super::turns::Turns;

/// For telling the peer that its connection ends.
const PART_PATIENCE: Duration = Duration::from_secs(1);

/// How long peers may take.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct Bounds {
    /// For the rest of a call that has begun, and for receiving anything of a reply.
    pub(in crate::serve) message_timeout: Duration,
    /// Between calls; `None`: for ever.
    pub(in crate::serve) idle_timeout: Option<Duration>,
}

/// Serves a connection until the peer is done, breaks the contract, is too slow, or has to go.
pub(super) async fn serve(
    mut conversation: Conversation,
    answerer: &Answerer,
    turns: &Turns,
    remote: &Remote,
) {
    if let Err(end) = converse(&mut conversation, answerer, turns, remote).await {
        remote.has_ended(&end);
    }
    conversation.part(PART_PATIENCE).await;
}

async fn converse(
    conversation: &mut Conversation,
    answerer: &Answerer,
    turns: &Turns,
    remote: &Remote,
) -> Result<(), End> {
    conversation.agree(turns).await?;
    while let Some(asked) = conversation.next().await? {
        let mut reply = conversation.new_reply();
        match asked {
            Ok(asked) if asked.message().kind == MessageKind::Call => {
                let (peer, ahead) = (conversation.peer(), conversation.ahead());
                let interrupted = conversation.interrupted();
                answerer.answer(&asked.message(), peer, ahead, &mut reply, interrupted).await?;
            }
            // None of these methods makes sense if nobody waits for its reply.
            Ok(asked) => {
                let what = "this service answers calls only: send messages of type CALL";
                Answerer::refuse(&asked.message(), ExceptionKind::InvalidMessageType, what, &mut reply);
            }
            Err(error) => {
                remote.is_not_understood(&error);
                let kind = ExceptionKind::ProtocolError;
                let (dialect, name, sequence) = error.address();
                let message = Message { dialect, kind: MessageKind::Call, name, sequence, body: &[] };
                Answerer::refuse(&message, kind, &error.to_string(), &mut reply);
            }
        }
        conversation.reply(reply, answerer).await?;
    }
    Ok(())
}
