"""What is wrong with a question about an experiment (schemas/experiments_sense.py), by code: in English and in Russian."""

OF_EXPERIMENTS: dict[str, tuple[str, str]] = {
    "negative": ("at least 0", "не меньше 0"),
    "not_positive": ("more than 0", "больше 0"),
    "no_people": ("nobody was exposed: there is nothing to say yet", "никто ещё не участвовал: сказать пока нечего"),
    "one_alone": (
        "one person alone tells nothing: at least 2 for each arm",
        "один человек ничего не показывает: нужно хотя бы 2 на группу",
    ),
    "shares_empty": ("the shares add up to nothing", "доли в сумме дают ноль"),
    "share_empty": (
        "an arm without a share gets nobody: take it out, or give it one",
        "группе без доли никто не достанется: уберите её или дайте долю",
    ),
    "merged_of_some": ("say `merged` of every arm, or of none", "укажите `merged` у всех групп или ни у одной"),
    "more_than_assigned": ("more people than were assigned to the arm", "больше людей, чем отнесено к группе"),
    "more_than_people": (
        "more than the people of the arm: each counts once",
        "больше, чем людей в группе: каждый считается один раз",
    ),
    "unknown_arm": ("there is no such arm", "такой группы нет"),
    "unknown_metric": ("there is no such metric among these", "такой метрики здесь нет"),
    "alpha": ("between 0.000001 and 0.5: 0.05 is usual", "от 0,000001 до 0,5: обычно 0,05"),
    "power": ("between 0.5 and 0.999: 0.8 is usual", "от 0,5 до 0,999: обычно 0,8"),
    "effect_size": (
        "between 0.0001 and 10: 0.1 is 10 % of what the control has",
        "от 0,0001 до 10: 0,1 значит 10 % от того, что в контроле",
    ),
    "plan_missing": (
        "looks are spent against a planned number of people: plan it first, or take another rule",
        "просмотры расходуют план: сначала запланируйте число людей или возьмите другое правило",
    ),
    "looks_unused": (
        "earlier looks count under the rule `sequential` alone",
        "прежние просмотры важны только при правиле `sequential`",
    ),
    "looks_order": (
        "looks grow, and lie before the present number of people",
        "просмотры идут по возрастанию и меньше нынешнего числа людей",
    ),
    "look_final": (
        "this was the one final look: what comes after it is read with `always_valid`",
        "это был единственный последний просмотр: дальше читайте с `always_valid`",
    ),
    "looks_many": ("between 0 and 120", "от 0 до 120"),
    "looks_work": (
        "arms x metrics x looks, this one among them: at most 30,000. Ask for fewer metrics at a time",
        "группы x метрики x просмотры, считая этот: не больше 30 000. Спрашивайте о меньшем числе метрик за раз",
    ),
    "money_whole": ("money comes in whole minor units", "деньги передают целым числом минимальных единиц"),
    "money_negative": (
        "revenue is not below 0: count refunds as a metric of their own",
        "выручка не бывает меньше 0: возвраты считайте отдельной метрикой",
    ),
    "currency_mixed": (
        "one currency for all arms of a metric: convert it where it is taken in",
        "у метрики одна валюта на все группы: переводите её при приёме",
    ),
    "no_spread": (
        "all values are equal: without any spread nothing can be said",
        "все значения равны: без разброса сказать нечего",
    ),
    "squares_impossible": (
        "no numbers have this sum and so small a sum of squares",
        "нет чисел с такой суммой и такой малой суммой квадратов",
    ),
    "cross_impossible": (
        "no numbers have these sums and such a sum of products",
        "нет чисел с такими суммами и такой суммой произведений",
    ),
    "rule_without": (
        "say the sums without the rule too: both results are shown",
        "передайте и суммы без правила: показывают оба результата",
    ),
    "rule_adds": ("a rule leaves people out, it adds none", "правило исключает людей, но не добавляет"),
    "rate": ("a rate between 0 and 1, both left out: 0.05 is 5 %", "доля больше 0 и меньше 1: 0,05 значит 5 %"),
    "deviation_unused": ("a rate has its own spread: leave it out", "у доли свой разброс: уберите это поле"),
    "effect_one": (
        "say `relative` or `points`, one of them: 10 % of 5 % is half a point",
        "укажите одно из двух, `relative` или `points`: 10 % от 5 % это полпункта",
    ),
    "effect_none": ("no effect is never seen: say one", "отсутствие эффекта увидеть нельзя: укажите эффект"),
    "base_small": ("at least 1000 people", "не меньше 1000 человек"),
    "plan_asks": (
        "say `effect`, `people` or `global_base`: what is to be planned?",
        "укажите `effect`, `people` или `global_base`: что планировать?",
    ),
}
