"""What the bot says to people, by language: English, and German for those whose Discord speaks it."""

import discord
from discord import app_commands

WORDS: dict[str, dict[str, str]] = {
    "en": {
        # the commands, as Discord lists them
        "policy": "The policies, in their own words",
        "ask": "Ask what the policies say; the answer is quoted from them",
        "ask.question": "Kept without your name only if nothing answers it and prompt logging is on",
        "ask.document": "Look into this document only",
        "ask.private": "True: only you see the answer",
        "status": "Which versions bind you, and what is asked of you (only you see this)",
        "account": "Your own choices",
        "logging": "May what you send to the service be logged? (only you see this)",
        "logging.setting": "off: do not log; on: log",
        "contact": "Write to staff; only they and you see it",
        "contact.kind": "What it is about",
        "kind.question": "Ask a question",
        "kind.support": "Get support",
        "kind.access": "Get a copy of my data",
        "kind.erasure": "Have my data deleted",
        "kind.opt_out": "Opt out of a use of my data",
        "kind.objection": "Object to a change or a use",
        "kind.appeal": "Appeal a decision",
        "kind.abuse": "Report abuse",
        "kind.underage": "Report a child's account",
        # answers
        "person": "Ask a person",
        "left_out": "More passages fit the question; the links lead to them.",
        "cut": "cut; the whole passage stands behind the link",
        "standing": "`/policy status` shows what binds you and whether your access ends.",
        "source": "— **{document}**, version {version}, section {section}: <{url}>",
        "beginning": "the beginning",
        "not_linked": "This Discord account is not linked to an account at {operator}. "
        "`/contact` asks staff to link it.",
        "our_fault": "Something went wrong on our side. Please try again in a few minutes.",
        # the standing
        "unbound": "No version of it binds you.",
        "bound": "[Version {number}](<{url}>) binds you since {since}: {how}.",
        "corrected": "; only wording was corrected since",
        "how.accepted": "you accepted it",
        "how.deemed_by_use": "you were told of it and went on using the service",
        "how.deemed_by_silence": "you were told of it and did not object in time",
        "how.notified": "you were told of it",
        "how.acknowledged": "you acknowledged it",
        "how.imported": "taken over from the records of an earlier system",
        "due.not_told": "You have not been told of {version} yet, so no time runs for you.",
        "due.exempt": "You need not accept {version}.",
        "due.told": "You were told of {version}; it binds you from your next use of the service on.",
        "due.may_object": "{version} binds you unless you [object](<{answer}>) by {due}.",
        "due.objected": "You objected to {version}.",
        "due.must_accept": "Please [accept or decline](<{answer}>) {version} by {due}.",
        "due.overdue": "{version} was to be accepted by {due}. Your access is paused until you "
        "[accept it](<{answer}>).",
        "due.declined": "You declined {version}.",
        "due.declined_still": "You declined {version}. You can still [accept it](<{answer}>), in time until {due}.",
        "due.declined_over": "You declined {version}, and your access is paused since {due}. It returns once you "
        "[accept](<{answer}>).",
        "version": "[Version {number}](<{url}>)",
        "upcoming": "[Version {number}](<{url}>) comes in force {at}.",
        "own_links": "Links to answer are meant for you alone: whoever opens one can answer in your name.",
        "end.waiting": "**The end of your access{scope} is decided**; it waits for the proof that you were told.",
        "end.stayed": "**The end of your access{scope} is decided**; it has no effect while your appeal is open.",
        "end.coming": "**Your access{scope} will end** {at}.",
        "end.over": "**Your access{scope} ended** {at}.",
        "end.scope": " to {scope}",
        "end.until": " You will have it again {until}.",
        "end.reason": " Reason: {reason}",
        "end.appeal": "If you see it otherwise: `/contact`, “Appeal a decision”.",
        # choices
        "logging.on": "Prompt logging is on for your account from now on. Of what you ask here, only questions that no "
        "policy answers are kept, without your name.",
        "logging.off": "Prompt logging is off for your account from now on. Nothing that you ask here is kept.",
        "logging.is_on": "Prompt logging is on; `/account logging` changes that.",
        "logging.is_off": "Prompt logging is off; `/account logging` changes that.",
        # requests
        "form.subject": "Subject",
        "form.subject.hint": "In a few words",
        "form.details": "Details",
        "form.details.hint": "What happened, and what should be done. Never write passwords or keys here.",
        "receipt": "Your request has the number **{number}**. Staff answer by direct message, {closed} to this server.",
        "receipt.again": "You have asked for that already: your request has the number **{number}**. Staff answer by "
        "direct message, {closed} to this server.",
        "receipt.email": "or by e-mail if yours are closed",
        "receipt.no_email": "so keep yours open",
        "receipt.due": "You get an answer by {due}.",
        "receipt.proof": "You get an e-mail with a link: open it to prove that it is you. Before that, nothing is "
        "touched.",
        "receipt.whose": "This Discord account is not linked to an account, so staff will ask which one is yours.",
    },
    "de": {
        "policy": "Die Richtlinien in ihren eigenen Worten",
        "ask": "Fragen, was die Richtlinien sagen; die Antwort ist daraus zitiert",
        "ask.question": "Ohne Namen nur aufbewahrt, wenn nichts darauf antwortet und Protokollierung an ist",
        "ask.document": "Nur in diesem Dokument suchen",
        "ask.private": "True: Nur Sie sehen die Antwort",
        "status": "Welche Versionen für Sie gelten und was von Ihnen erbeten ist (sehen nur Sie)",
        "account": "Was Sie selbst bestimmen",
        "logging": "Darf protokolliert werden, was Sie dem Dienst schicken? (sehen nur Sie)",
        "logging.setting": "off: nicht protokollieren; on: protokollieren",
        "contact": "Dem Team schreiben; nur das Team und Sie sehen es",
        "contact.kind": "Worum es geht",
        "kind.question": "Eine Frage stellen",
        "kind.support": "Hilfe bekommen",
        "kind.access": "Eine Kopie meiner Daten bekommen",
        "kind.erasure": "Meine Daten löschen lassen",
        "kind.opt_out": "Einer Nutzung meiner Daten widersprechen",
        "kind.objection": "Einer Änderung widersprechen",
        "kind.appeal": "Eine Entscheidung anfechten",
        "kind.abuse": "Missbrauch melden",
        "kind.underage": "Das Konto eines Kindes melden",
        "person": "Einen Menschen fragen",
        "left_out": "Weitere Stellen passen zur Frage; die Links führen hin.",
        "cut": "gekürzt; die ganze Stelle steht hinter dem Link",
        "standing": "`/policy status` zeigt, was für Sie gilt und ob Ihr Zugang endet.",
        "source": "— **{document}**, Version {version}, Abschnitt {section}: <{url}>",
        "beginning": "Anfang",
        "not_linked": "Dieses Discord-Konto ist mit keinem Konto bei {operator} verbunden. Mit `/contact` bitten Sie "
        "das Team, es zu verbinden.",
        "our_fault": "Bei uns ist etwas schiefgegangen. Bitte versuchen Sie es in ein paar Minuten noch einmal.",
        "unbound": "Keine Version davon gilt für Sie.",
        "bound": "[Version {number}](<{url}>) gilt für Sie seit {since}: {how}.",
        "corrected": "; seither wurde nur der Wortlaut berichtigt",
        "how.accepted": "Sie haben sie angenommen",
        "how.deemed_by_use": "sie wurde Ihnen mitgeteilt, und Sie haben den Dienst weiter genutzt",
        "how.deemed_by_silence": "sie wurde Ihnen mitgeteilt, und Sie haben nicht rechtzeitig widersprochen",
        "how.notified": "sie wurde Ihnen mitgeteilt",
        "how.acknowledged": "Sie haben sie zur Kenntnis genommen",
        "how.imported": "aus den Unterlagen eines früheren Systems übernommen",
        "due.not_told": "{version} wurde Ihnen noch nicht mitgeteilt; deshalb läuft für Sie keine Frist.",
        "due.exempt": "{version} brauchen Sie nicht anzunehmen.",
        "due.told": "{version} wurde Ihnen mitgeteilt; sie gilt für Sie, sobald Sie den Dienst das nächste Mal nutzen.",
        "due.may_object": "{version} gilt für Sie, wenn Sie nicht bis {due} [widersprechen](<{answer}>).",
        "due.objected": "{version} haben Sie widersprochen.",
        "due.must_accept": "Bitte [antworten Sie](<{answer}>) bis {due}, ob Sie {version} annehmen.",
        "due.overdue": "{version} war bis {due} anzunehmen. Ihr Zugang ruht, bis Sie sie [annehmen](<{answer}>).",
        "due.declined": "{version} haben Sie abgelehnt.",
        "due.declined_still": "{version} haben Sie abgelehnt. Sie können sie noch [annehmen](<{answer}>), rechtzeitig "
        "bis {due}.",
        "due.declined_over": "{version} haben Sie abgelehnt, und Ihr Zugang ruht seit {due}. Er kehrt zurück, sobald "
        "Sie sie [annehmen](<{answer}>).",
        "version": "[Version {number}](<{url}>)",
        "upcoming": "[Version {number}](<{url}>) tritt in Kraft: {at}.",
        "own_links": "Links zum Antworten sind nur für Sie: Wer einen öffnet, kann in Ihrem Namen antworten.",
        "end.waiting": "**Das Ende Ihres Zugangs{scope} ist beschlossen**; es wartet auf den Nachweis, dass Sie es "
        "erfahren haben.",
        "end.stayed": "**Das Ende Ihres Zugangs{scope} ist beschlossen**; es hat keine Wirkung, solange über Ihren "
        "Einspruch nicht entschieden ist.",
        "end.coming": "**Ihr Zugang{scope} endet** {at}.",
        "end.over": "**Ihr Zugang{scope} ist beendet** seit {at}.",
        "end.scope": " zu {scope}",
        "end.until": " Sie haben ihn wieder ab {until}.",
        "end.reason": " Grund: {reason}",
        "end.appeal": "Sehen Sie es anders: `/contact`, „Eine Entscheidung anfechten“.",
        "logging.on": "Die Protokollierung ist für Ihr Konto ab jetzt an. Von dem, was Sie hier fragen, werden nur "
        "Fragen aufbewahrt, auf die keine Richtlinie antwortet, und zwar ohne Ihren Namen.",
        "logging.off": "Die Protokollierung ist für Ihr Konto ab jetzt aus. Nichts, was Sie hier fragen, wird "
        "aufbewahrt.",
        "logging.is_on": "Die Protokollierung ist an; `/account logging` ändert das.",
        "logging.is_off": "Die Protokollierung ist aus; `/account logging` ändert das.",
        "form.subject": "Betreff",
        "form.subject.hint": "In wenigen Worten",
        "form.details": "Einzelheiten",
        "form.details.hint": "Was geschehen ist und was geschehen soll. Schreiben Sie nie Passwörter oder Schlüssel.",
        "receipt": "Ihr Anliegen hat die Nummer **{number}**. Das Team antwortet per Direktnachricht{closed}.",
        "receipt.again": "Darum haben Sie schon gebeten: Ihr Anliegen hat die Nummer **{number}**. Das Team antwortet "
        "per Direktnachricht{closed}.",
        "receipt.email": " oder per E-Mail, wenn Ihre für diesen Server geschlossen sind",
        "receipt.no_email": "; lassen Sie Ihre also für diesen Server offen",
        "receipt.due": "Eine Antwort bekommen Sie bis {due}.",
        "receipt.proof": "Sie bekommen eine E-Mail mit einem Link: Öffnen Sie ihn, um zu zeigen, dass Sie es sind. "
        "Vorher wird nichts angerührt.",
        "receipt.whose": "Dieses Discord-Konto ist mit keinem Konto verbunden; das Team wird fragen, welches "
        "Ihres ist.",
    },
}
EN = WORDS["en"]
_GERMAN = {english: WORDS["de"][key] for key, english in EN.items()}


def say(locale: str, key: str, **values: object) -> str:
    """A sentence in the language of a locale of Discord's, such as `de` or `en-US`; in English for those not spoken."""
    return WORDS.get(locale.split("-")[0], EN)[key].format(**values)


class Translator(app_commands.Translator):
    """Gives Discord the descriptions and choices of the commands in German too; their names stay the same."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        return _GERMAN.get(string.message) if locale is discord.Locale.german else None
